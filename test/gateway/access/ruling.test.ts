// Rulings at their edges: what each refusal offers, what was revoked, and subjects that are prepared once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rulings } from '#gateway/access/ruling';
import type { LiveSession } from '#gateway/identity/live-session';
import type { AccessRequest } from '#policy/input';
import { loadPolicy, type Policy } from '#policy/load';

const AT = Date.parse('2026-03-04T10:00:00Z');
const session = (id = 's1', groups = ['corp:eng']): LiveSession => ({
  id,
  subject: { kind: 'user', id: `https://id#${id}`, groups, roles: [] },
  login: { provider: 'corp', at: AT - 60_000, mfaAt: AT - 60_000, amr: ['pwd', 'otp'] },
  createdAt: AT - 60_000,
  expiresAt: AT + 3_600_000,
  lastSeenAt: AT,
  clientAddress: '192.0.2.1',
});
const input = (who: LiveSession, method = 'GET', at = AT): AccessRequest => ({
  ...{ version: 1, at, subject: who.subject, login: who.login },
  target: { app: 'wiki', protocol: 'http', method, path: '/' },
  network: { address: '192.0.2.1' },
});

/** A policy that counts how often it prepares a subject. */
function counted(rule = ''): { policy: Policy; prepared(): number } {
  const text = `version: 1\napps: [wiki]\ngroups: { eng: { members: ["corp:eng"] } }\nrules:\n  - { id: r1, allow: wiki, who: eng${rule} }\n`;
  const loaded = loadPolicy(text, 'policy.yaml');
  assert.ok(loaded.ok);
  const { policy } = loaded;
  let count = 0;
  const prepare: Policy['prepare'] = (subject) => {
    count += 1;
    return policy.prepare(subject);
  };
  const watched = new Proxy(policy, {
    get: (target, name) => {
      if (name === 'prepare') return prepare;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { policy: watched, prepared: () => count };
}

test('a session’s subject is prepared once for a policy, and anew for the next one', () => {
  const [one, two] = [counted(), counted()];
  let current = one;
  const rulings = new Rulings(() => current.policy);
  for (let i = 0; i < 5; i += 1) rulings.rule(session(), input(session()));
  rulings.rule(session('s2'), input(session('s2')));
  assert.equal(one.prepared(), 2);
  current = two;
  for (let i = 0; i < 3; i += 1) rulings.rule(session(), input(session()));
  assert.equal(two.prepared(), 1);
});

test('fifty thousand subjects are kept prepared, and the oldest goes first', () => {
  const { policy, prepared } = counted();
  const rulings = new Rulings(() => policy);
  for (let i = 0; i < 50_000; i += 1) rulings.rule(session(`s${i}`), input(session(`s${i}`)));
  rulings.rule(session('s0'), input(session('s0')));
  assert.equal(prepared(), 50_000);
  rulings.rule(session('one-more'), input(session('one-more')));
  rulings.rule(session('s1'), input(session('s1')));
  assert.equal(prepared(), 50_001, 's1 is still known');
  rulings.rule(session('s0'), input(session('s0')));
  assert.equal(prepared(), 50_002, 's0 went');
});

test('what was revoked is refused before any rule is asked, and told without a way on', () => {
  const rulings = new Rulings(
    () => counted().policy,
    ({ id }) => id === 'gone',
  );
  const { decision, explanation } = rulings.rule(session('gone'), input(session('gone')));
  assert.deepEqual(decision, { verdict: 'deny', reason: 'revoked' });
  assert.deepEqual(
    [explanation?.remedy.kind, explanation?.entitled, explanation?.decision],
    ['none', false, decision],
  );
  assert.equal(rulings.rule(session(), input(session())).decision.verdict, 'allow');
});

test('a deny is explained, an allow is not', () => {
  const rulings = new Rulings(() => counted().policy);
  const other = session('s3', ['corp:sales']);
  assert.equal(rulings.rule(other, input(other)).explanation?.decision.verdict, 'deny');
  assert.equal(rulings.rule(session(), input(session())).explanation, undefined);
});

test('each refusal of an allowed request says what would fulfil it', () => {
  const afresh = { kind: 'step-up', maxAge: 0 };
  for (const [rule, method, reason, criterion, remedy, need, have] of [
    [
      ', stepUp: { mfa: 30s }',
      ...['GET', 'step-up-required', 'mfa', afresh, 'a second factor at most 30s ago', '1m ago'],
    ],
    [
      ', stepUp: { phishingResistant: true }',
      ...['GET', 'step-up-required', 'mfa', { ...afresh, phishingResistant: true }],
      ...['a security key, passkey in hardware or smart card', 'pwd, otp'],
    ],
    [
      ', maxSession: 30s',
      ...['GET', 'session-too-old', 'mfa', afresh, 'a sign-in at most 30s ago', '1m ago'],
    ],
    [', readOnly: true', 'POST', 'read-only', 'methods', { kind: 'none' }, 'GET, HEAD, OPTIONS', 'POST'],
    [
      ', redact: cards',
      ...['GET', 'obligation-unsupported', 'redact', { kind: 'none' }],
      ...['answers masked by cards', 'no gateway masks answers yet'],
    ],
  ] as const) {
    const { decision, explanation, policy } = new Rulings(() => counted(rule).policy).rule(
      session(),
      input(session(), method),
    );
    assert.deepEqual(decision, { verdict: 'deny', reason, rule: { id: 'r1' } });
    assert.deepEqual(explanation?.remedy, remedy);
    assert.equal(explanation?.entitled, true);
    const unmet = [{ criterion, code: reason, need, have }];
    assert.deepEqual(explanation?.nearest, [{ rule: 'r1', effect: 'allow', unmet, met: ['who'] }]);
    assert.match(policy, /^[0-9a-f]{64}$/);
  }
});

test('a session that is exactly as old as it may be is not too old', () => {
  const rulings = new Rulings(() => counted(', maxSession: 60s').policy);
  assert.equal(rulings.rule(session(), input(session())).decision.verdict, 'allow');
  assert.equal(rulings.rule(session(), input(session(), 'GET', AT + 1)).decision.reason, 'session-too-old');
});
