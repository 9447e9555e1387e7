// Countries; a private address has an explicit value of its own.
import type { AccessRequest } from '#policy/input';
import { criterionTest } from './ask.ts';

const from = (country?: string): Partial<AccessRequest> => ({
  network: { address: '', ...(country !== undefined && { country }) },
});

criterionTest('country', 'wrong-country', [
  ['when: { country: KP }', from('KP'), 'met'],
  ['when: { country: [KP, IR] }', from('IR'), 'met'],
  ['when: { country: KP }', from('DE'), 'unmet'],
  ['when: { country: KP }', from('private'), 'unmet'],
  ['when: { country: private }', from('private'), 'met'],
  ['when: { country: "NO" }', from('NO'), 'met'],
  ['when: { country: NO }', from('NO'), 'met'],
  ['when: { country: KP }', from(), 'unknown'],
]);
