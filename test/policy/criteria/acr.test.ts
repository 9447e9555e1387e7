// The level the provider vouches for.
import type { AccessRequest } from '#policy/input';
import { criterionTest, NOW } from './ask.ts';

const acr = (value?: string): Partial<AccessRequest> => ({
  login: { provider: 'idp', at: NOW, ...(value !== undefined && { acr: value }) },
});

criterionTest('acr', 'wrong-acr', [
  ['when: { acr: aal2 }', acr('aal2'), 'met'],
  ['when: { acr: [aal2, aal3] }', acr('aal3'), 'met'],
  ['when: { acr: aal2 }', acr('aal1'), 'unmet'],
  ['when: { acr: aal2 }', acr(), 'unknown'],
  ['when: { acr: aal2 }', {}, 'unknown'],
]);
