// Phishing resistance: levels and methods that only a key gives; push approvals (`swk`) are not among them.
import type { AccessRequest, Login } from '#policy/input';
import { criterionTest, NOW } from './ask.ts';

const login = (change: Partial<Login>): Partial<AccessRequest> => ({
  login: { provider: 'idp', at: NOW, ...change },
});
const want = 'when: { phishingResistant: true }';

criterionTest('phishing', 'phishable-login', [
  [want, login({ acr: 'phr' }), 'met'],
  [want, login({ acr: 'phrh', amr: ['pwd'] }), 'met'],
  [want, login({ amr: ['pwd', 'hwk'] }), 'met'],
  [want, login({ amr: ['fido'] }), 'met'],
  [want, login({ amr: ['sc'] }), 'met'],
  [want, login({ amr: ['swk', 'otp', 'mfa'] }), 'unmet'],
  [want, login({ acr: 'phr2' }), 'unmet'],
  [want, login({}), 'unknown'],
  [want, {}, 'unknown'],
]);
