// How somebody signed in: one of the wanted methods is enough.
import type { AccessRequest } from '#policy/input';
import { criterionTest, NOW } from './ask.ts';

const amr = (values?: string[]): Partial<AccessRequest> => ({
  login: { provider: 'idp', at: NOW, ...(values && { amr: values }) },
});

criterionTest('amr', 'wrong-amr', [
  ['when: { amr: otp }', amr(['pwd', 'otp']), 'met'],
  ['when: { amr: [otp, hwk] }', amr(['hwk']), 'met'],
  ['when: { amr: otp }', amr(['pwd']), 'unmet'],
  ['when: { amr: otp }', amr([]), 'unmet'],
  ['when: { amr: otp }', amr(), 'unknown'],
  ['when: { amr: otp }', {}, 'unknown'],
]);
