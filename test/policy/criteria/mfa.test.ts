// Second factors age. An event in the future, beyond what clocks may differ, never happened.
import type { AccessRequest } from '#policy/input';
import { criterionTest, HOUR, MINUTE, NOW } from './ask.ts';

const ago = (elapsed: number): Partial<AccessRequest> => ({
  login: { provider: 'idp', at: NOW, mfaAt: NOW - elapsed },
});

criterionTest('mfa', 'mfa-too-old', [
  ['when: { mfa: 8h }', ago(8 * HOUR), 'met'],
  ['when: { mfa: 8h }', ago(8 * HOUR + 1), 'unmet'],
  ['when: { mfa: 8h }', ago(0), 'met'],
  ['when: { mfa: 8h }', ago(-MINUTE), 'met'],
  ['when: { mfa: 8h }', ago(-MINUTE - 1), 'unknown'],
  ['when: { mfa: 8h }', ago(Number.NaN), 'unknown'],
  ['when: { mfa: 8h }', { ...ago(0), at: Number.NaN }, 'unknown'],
  ['when: { mfa: 8h }', {}, 'unknown'],
]);
