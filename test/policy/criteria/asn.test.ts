// Autonomous systems.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const from = (asn?: number): Partial<AccessRequest> => ({
  network: { address: '', ...(asn !== undefined && { asn }) },
});

criterionTest('asn', 'wrong-network-operator', [
  ['when: { asn: 64500 }', from(64_500), 'met'],
  ['when: { asn: [64500, 64501] }', from(64_501), 'met'],
  ['when: { asn: 64500 }', from(64_502), 'unmet'],
  ['when: { asn: 64500 }', from(), 'unknown'],
]);
