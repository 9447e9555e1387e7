// Who asks: names a provider sends must never pass for groups, roles or people of the document.
import type { Subject } from '#policy/input';
import { criterionTest } from './ask.ts';

const user = (change: Partial<Subject>): { subject: Subject } => ({
  subject: { kind: 'user', id: 'https://idp#1', groups: [], roles: [], ...change },
});
const service = (id: string): { subject: Subject } => user({ kind: 'service', id });

criterionTest('who', 'not-in-group', [
  ['who: everyone', user({}), 'met'],
  ['who: everyone', service('batch'), 'unmet'],
  ['who: "user:https://idp#1"', user({}), 'met'],
  ['who: "user:anna@example.org"', user({ email: 'Anna@Example.org' }), 'met'],
  ['who: "user:anna"', user({ name: 'anna' }), 'unmet'],
  ['who: "user:batch"', service('batch'), 'unmet'],
  ['who: idp:staff', user({ groups: ['idp:staff'] }), 'met'],
  ['who: idp:staff', user({ groups: ['other:staff', 'staff'] }), 'unmet'],
  ['who: [idp:staff, idp:guests]', user({ groups: ['idp:guests'] }), 'met'],
  ['who: role:admin', user({ roles: ['admin'] }), 'met'],
  ['who: role:admin', user({ groups: ['role:admin'] }), 'unmet'],
  ['who: "user:root"', user({ groups: ['user:root'] }), 'unmet'],
  ['who: "service:batch"', service('batch'), 'met'],
  ['who: "service:*"', service('anything'), 'met'],
  ['who: "service:spiffe://td/ns/web/*"', service('spiffe://td/ns/web/sa/api'), 'met'],
  ['who: "service:spiffe://td/ns/web/*"', service('spiffe://td/ns/website/sa/api'), 'unmet'],
  ['who: "service:spiffe://td/ns/web/*"', service('spiffe://td.evil/ns/web/x'), 'unmet'],
]);
