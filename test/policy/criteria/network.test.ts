// Named networks: both ends of a range are inside; what is no address is unknown.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const from = (address: string): Partial<AccessRequest> => ({ network: { address } });

criterionTest('network', 'outside-network', [
  ['when: { network: office }', from('203.0.113.0'), 'met'],
  ['when: { network: office }', from('203.0.113.255'), 'met'],
  ['when: { network: office }', from('203.0.112.255'), 'unmet'],
  ['when: { network: office }', from('203.0.114.0'), 'unmet'],
  ['when: { network: office }', from('::ffff:203.0.113.7'), 'met'],
  ['when: { network: office }', from('2001:db8::1'), 'met'],
  ['when: { network: office }', from('2001:db9::'), 'unmet'],
  ['when: { network: [office, lab] }', from('198.51.100.7'), 'met'],
  ['when: { network: lab }', from('::198.51.100.7'), 'unmet'],
  ['when: { network: office }', from(''), 'unknown'],
  ['when: { network: office }', from('203.0.113.1:443'), 'unknown'],
  ['when: { network: office }', from('203.0.113.01'), 'unknown'],
  ['when: { network: office }', from('fe80::1%eth0'), 'unknown'],
]);
