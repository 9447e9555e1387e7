// Decisions: what wins over what, what a shadow rule may do, and that nothing ends in an allow by accident.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessRequest } from '#policy/input';
import { unfulfilled } from '#policy/obligations';
import { HOUR, NOW, policyOf, requestWith, verdict } from './criteria/ask.ts';

const HEAD = 'version: 1\napps: [app, other]\nrules:\n';
const decide = (rules: string, request: AccessRequest = requestWith()) => {
  const policy = policyOf(HEAD + rules);
  return policy.decide(request, policy.prepare(request.subject));
};

test('without an allow rule the answer is deny, and the reason says which kind', () => {
  assert.deepEqual(decide('  []'), { verdict: 'deny', reason: 'no-rule-for-app' });
  assert.deepEqual(decide('  - { id: a, allow: other, who: everyone }'), {
    verdict: 'deny',
    reason: 'no-rule-for-app',
  });
  assert.deepEqual(decide('  - { id: a, allow: app, who: role:x }'), {
    verdict: 'deny',
    reason: 'no-rule-matched',
  });
  const nowhere = requestWith({ target: { app: 'nowhere', protocol: 'http', method: 'GET', path: '/' } });
  assert.deepEqual(decide('  - { id: a, allow: "*", who: everyone }', nowhere), {
    verdict: 'deny',
    reason: 'no-rule-for-app',
  });
});

test('a deny wins over any allow, wherever it stands', () => {
  const [allow, deny] = [
    '  - { id: a, allow: "*", who: everyone }\n',
    '  - { id: d, deny: app, because: Closed. }\n',
  ];
  for (const rules of [allow + deny, deny + allow]) {
    const decision = decide(rules);
    assert.deepEqual(decision, {
      verdict: 'deny',
      reason: 'denied-by-rule',
      rule: { id: 'd', because: 'Closed.' },
    });
    assert.ok(Object.isFrozen(decision) && Object.isFrozen(decision.rule));
  }
});

test('unless lifts a deny only when it is known to hold', () => {
  const rules = '  - { id: a, allow: app, who: everyone }\n  - { id: d, deny: app, unless: { mfa: 8h } }';
  const login = (mfaAt: number): AccessRequest => requestWith({ login: { provider: 'p', at: NOW, mfaAt } });
  assert.equal(decide(rules, login(NOW)).verdict, 'allow');
  assert.equal(decide(rules, login(NOW - 9 * HOUR)).verdict, 'deny');
  assert.equal(decide(rules).verdict, 'deny', 'an unknown age lifts nothing');
});

test('a shadow rule changes no verdict and is recorded with what it would have done', () => {
  const rules =
    '  - { id: a, allow: app, who: everyone }\n  - { id: s, deny: app, mode: shadow }\n  - { id: t, allow: app, who: everyone, mode: shadow }';
  const policy = policyOf(HEAD + rules);
  const request = requestWith();
  const decision = policy.decide(request, policy.prepare(request.subject));
  assert.equal(decision.verdict, 'allow');
  assert.deepEqual(decision.shadow, [
    { rule: 's', would: 'deny' },
    { rule: 't', would: 'allow' },
  ]);
  assert.equal(
    policy.decide(requestWith(), policy.prepare(request.subject)),
    decision,
    'the same combination is one object',
  );
  assert.deepEqual(decide('  - { id: s, allow: app, who: everyone, mode: shadow }'), {
    verdict: 'deny',
    reason: 'no-rule-for-app',
    shadow: [{ rule: 's', would: 'allow' }],
  });
  assert.deepEqual(
    decide('  - { id: d, deny: app }\n  - { id: s, allow: app, who: everyone, mode: shadow }').shadow,
    [{ rule: 's', would: 'deny' }],
  );
});

test('of several allows the one asking least decides, whatever the order', () => {
  const rules = [
    '  - { id: a, allow: app, who: everyone, readOnly: true }',
    '  - { id: b, allow: app, who: everyone, maxSession: 1h }',
    '  - { id: c, allow: app, who: everyone, maxSession: 8h, record: true }',
  ];
  const request = requestWith({ login: { provider: 'p', at: NOW } });
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const decision = decide(order.map((index) => rules[index]).join('\n'), request);
    assert.equal(decision.rule?.id, 'c');
    assert.deepEqual(decision.obligations, { record: true, maxSession: 8 * HOUR });
  }
  assert.equal(
    decide(`${rules.join('\n')}\n  - { id: z, allow: app, who: everyone }`).obligations,
    undefined,
  );
});

test('every obligation reaches the decision in milliseconds', () => {
  const rule =
    '  - { id: a, allow: app, who: everyone, stepUp: { mfa: 15m, phishingResistant: true }, readOnly: true, redact: cards, rate: 100/1m, record: true, maxSession: 8h }';
  const { rules } = policyOf(`${HEAD}${rule}`).compiled;
  assert.deepEqual(rules[0]?.decision.obligations, {
    stepUp: { mfa: 15 * 60_000, phishingResistant: true },
    readOnly: true,
    redact: 'cards',
    rate: { requests: 100, per: 60_000 },
    record: true,
    maxSession: 8 * HOUR,
  });
});

test('a rate says what is counted together', () => {
  const rule = (rate: string): string => `  - { id: a, allow: app, who: everyone, rate: ${rate} }`;
  const rate = { requests: 5, per: 10_000 };
  assert.deepEqual(decide(rule('{ limit: 5/10s, by: address }')).obligations, {
    rate: { ...rate, by: ['address'] },
  });
  const both = decide(rule('{ limit: 5/10s, by: [user, route] }')).obligations;
  assert.deepEqual(both, { rate: { ...rate, by: ['user', 'route'] } });
});

test('obligations that the request does not fulfil are named', () => {
  const login = { provider: 'p', at: NOW, mfaAt: NOW - 20 * 60_000, amr: ['otp'] };
  const request = requestWith({ login });
  assert.equal(unfulfilled(undefined, request), undefined);
  assert.equal(unfulfilled({ stepUp: { mfa: 15 * 60_000 } }, request), 'step-up-required');
  assert.equal(unfulfilled({ stepUp: { mfa: 30 * 60_000 } }, request), undefined);
  assert.equal(unfulfilled({ stepUp: { mfa: 30 * 60_000 } }, requestWith()), 'step-up-required');
  assert.equal(unfulfilled({ stepUp: { phishingResistant: true } }, request), 'step-up-required');
  const post = requestWith({ target: { app: 'app', protocol: 'http', method: 'POST', path: '/' } });
  assert.equal(unfulfilled({ readOnly: true }, post), 'read-only');
  assert.equal(
    unfulfilled({ readOnly: true }, requestWith({ target: { app: 'app', protocol: 'tcp' } })),
    'read-only',
  );
  assert.equal(unfulfilled({ readOnly: true, record: true }, request), undefined);
});

test('a subject prepared by another policy, or another subject, gives nothing', () => {
  const staff = requestWith({ subject: { kind: 'user', id: 'anna', groups: ['idp:staff'], roles: [] } });
  const guest = requestWith({ subject: { kind: 'user', id: 'bert', groups: [], roles: [] } });
  const policy = policyOf(`${HEAD}  - { id: a, allow: app, who: idp:staff }`);
  const other = policyOf(`${HEAD}  - { id: a, allow: app, who: [idp:x, everyone] }`);
  assert.equal(policy.decide(guest, policy.prepare(staff.subject)).verdict, 'deny');
  assert.equal(policy.decide(guest, other.prepare(guest.subject)).verdict, 'deny');
  assert.equal(policy.decide(staff, other.prepare(staff.subject)).verdict, 'allow');
});

test('whatever goes wrong inside is a deny with the reason error', () => {
  const policy = policyOf(
    `${HEAD}  - { id: a, allow: app, who: everyone, when: { network: n } }\nnetworks: { n: [0.0.0.0/0] }`,
  );
  const hostile = requestWith();
  Object.defineProperty(hostile, 'network', {
    get: () => {
      throw new Error('planted');
    },
  });
  assert.deepEqual(policy.decide(hostile, policy.prepare(hostile.subject)), {
    verdict: 'deny',
    reason: 'error',
  });
  for (const broken of [undefined, null, {}, { target: {} }]) {
    assert.equal(policy.decide(broken as never, policy.prepare(hostile.subject)).verdict, 'deny');
  }
});

test('one decision leaves nothing behind for the next', () => {
  const policy = policyOf(
    `${HEAD}  - { id: a, allow: app, who: everyone, paths: /open, when: { network: n } }\nnetworks: { n: [203.0.113.0/24] }`,
  );
  const inside = requestWith({
    network: { address: '203.0.113.1' },
    target: { app: 'app', protocol: 'http', method: 'GET', path: '/open' },
  });
  assert.equal(verdict(policy, inside), 'allow');
  assert.equal(verdict(policy, { ...inside, network: { address: 'nowhere' } }), 'deny');
  assert.equal(verdict(policy, inside), 'allow');
  assert.equal(
    verdict(policy, { ...inside, target: { app: 'app', protocol: 'http', method: 'GET' } }),
    'deny',
  );
  assert.equal(verdict(policy, { ...inside, target: { ...inside.target, path: '/..' } }), 'deny');
  assert.equal(verdict(policy, inside), 'allow');
});

test('a rule that asks for more takes nothing away from one that lets the request through as it is', () => {
  const policy = policyOf(`version: 1
apps: [app]
rules:
  - { id: read, allow: app, who: everyone, readOnly: true }
  - { id: write, allow: app, who: everyone, stepUp: { mfa: 1h } }
`);
  const decider = (method: string, mfaAt?: number): string | undefined => {
    const request = requestWith({ target: { app: 'app', protocol: 'http', method, path: '/' } });
    const login = { provider: 'idp', ...request.login, ...(mfaAt === undefined ? {} : { mfaAt }) } as never;
    return policy.decide({ ...request, login }, policy.prepare(request.subject)).rule?.id;
  };
  const fresh = requestWith().at;
  assert.deepEqual([decider('GET'), decider('POST'), decider('GET', fresh)], ['read', 'write', 'write']);
});

test('nor does one for young sessions from one that lets an old one read', () => {
  const policy = policyOf(`version: 1
apps: [app]
rules:
  - { id: read, allow: app, who: everyone, readOnly: true }
  - { id: young, allow: app, who: everyone, maxSession: 1h }
`);
  const decider = (age: number): string | undefined => {
    const request = requestWith({ target: { app: 'app', protocol: 'http', method: 'GET', path: '/' } });
    const login = { provider: 'idp', ...request.login, at: request.at - age } as never;
    return policy.decide({ ...request, login }, policy.prepare(request.subject)).rule?.id;
  };
  assert.deepEqual([HOUR, HOUR + 1].map(decider), ['young', 'read']);
});
