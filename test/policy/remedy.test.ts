// What a denial may cost: whoever is denied makes the gateway look for a remedy, as often as they ask.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CRITERIA } from '#policy/criteria/criteria';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';

const RULES = 150;
const AT = Date.parse('2026-03-04T20:00:00Z');
const two = (number: number): string => String(number).padStart(2, '0');

/** One app with many rules for many groups, each with hours of its own that also wants `also`, and `first` before them. */
function large(first: string, also = ''): Policy {
  const numbers = Array.from({ length: RULES }, (_, index) => index);
  const lines = [
    'version: 1\nzone: Europe/Berlin\napps: [wiki]\ngroups:',
    ...numbers.map((n) => `  g${n}: { members: ["corp:g${n}"] }`),
    'hours:',
    ...numbers.map(
      (n) => `  h${n}: { days: mon-fri, from: "${two(n % 12)}:${two(n % 60)}", to: "16:${two(n % 60)}" }`,
    ),
    `rules:\n  ${first}`,
    ...numbers.map(
      (n) =>
        `  - { id: r${n}, allow: wiki, who: g${n}, when: { hours: h${n}, mfa: 1h, ticket: open, acr: l${n % 5}${also} } }`,
    ),
  ];
  const loaded = loadPolicy(`${lines.join('\n')}\n`, 'policy.yaml');
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.policy;
}

function denied(groups: readonly string[]): AccessRequest {
  return {
    version: 1,
    at: AT,
    subject: { kind: 'user', id: 'https://id#1', groups, roles: [] },
    login: { provider: 'corp', at: AT - 9 * 3_600_000, amr: ['pwd'] },
    target: { app: 'wiki', protocol: 'http', method: 'GET', path: '/' },
    network: { address: '192.0.2.1' },
    risk: 90,
  };
}

/** How often any criterion was asked to explain `request`. */
function asked(t: TestContext, policy: Policy, request: AccessRequest): number {
  const mocks = Object.values(CRITERIA).map((criterion) =>
    t.mock.method(criterion as unknown as { truth(): unknown }, 'truth'),
  );
  policy.explain(request);
  const count = mocks.reduce((sum, { mock }) => sum + mock.callCount(), 0);
  for (const { mock } of mocks) mock.restore();
  return count;
}

test('a denial that nothing can change looks at each rule a few times, and tries nothing', (t) => {
  const policy = large('- { id: risky, deny: wiki, when: { risk: { atLeast: 50 } } }');
  const request = denied(['corp:g1', 'corp:g2']);
  assert.deepEqual(policy.explain(request).remedy, { kind: 'none' });
  const count = asked(t, policy, request);
  assert.ok(count < 20 * RULES, `${count} questions for ${RULES} rules`);
});

test('whoever is in every group does not make it try without end', (t) => {
  // No single way of signing in gives both the level and the method.
  const policy = large('- { id: risky, deny: wiki, when: { risk: { atLeast: 95 } } }', ', amr: otp');
  const everywhere = denied(Array.from({ length: RULES }, (_, n) => `corp:g${n}`));
  assert.deepEqual(policy.explain(everywhere).remedy, { kind: 'none' });
  const count = asked(t, policy, everywhere);
  assert.ok(count < 500 * RULES, `${count} questions for ${RULES} rules`);
});

test('in a large book of rules the remedy is found among those that can be about the person', () => {
  const policy = large('- { id: risky, deny: wiki, when: { risk: { atLeast: 95 } } }');
  const { remedy } = policy.explain(denied(['corp:g3']));
  assert.equal(remedy.kind, 'request-access');
  assert.equal(remedy.kind === 'request-access' && remedy.next?.kind, 'wait-until');
});
