// What a rule asks of a request beyond its criteria: every tool says of it what the gateway will.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diff } from '#policy/analyse/diff';
import { waysInto, waysOf } from '#policy/analyse/reach';
import type { AccessRequest } from '#policy/input';
import { readPolicy } from '#policy/read';
import { replay } from '#policy/replay';
import { HOUR, MINUTE, NOW, policyOf, requestWith } from './criteria/ask.ts';

const HEAD = 'version: 1\napps: [app]\nrules:\n';
const login = { provider: 'p', at: NOW - 9 * HOUR, mfaAt: NOW - 9 * HOUR, amr: ['pwd', 'otp'] };
const stale = requestWith({ login });
const posted = requestWith({ target: { app: 'app', protocol: 'http', method: 'POST', path: '/' } });

test('a request that lacks what its rule asks is denied, and told what would help', () => {
  const explained = (rule: string, request: AccessRequest = stale) => {
    const { decision, remedy, nearest } = policyOf(
      `${HEAD}  - { id: a, allow: app, who: everyone, ${rule} }`,
    ).explain(request);
    return [decision.verdict, decision.reason, decision.rule?.id, remedy, nearest[0]?.unmet[0]?.code];
  };
  const afresh = { kind: 'step-up', maxAge: 0 };
  const asked = 'step-up-required';
  assert.deepEqual(explained('stepUp: { mfa: 1h }'), ['deny', asked, 'a', afresh, asked]);
  assert.deepEqual(explained('stepUp: { phishingResistant: true }'), [
    ...['deny', asked, 'a', { ...afresh, phishingResistant: true }, asked],
  ]);
  assert.deepEqual(explained('maxSession: 8h'), [
    ...['deny', 'session-too-old', 'a', afresh, 'session-too-old'],
  ]);
  assert.deepEqual(explained('readOnly: true', posted), [
    ...['deny', 'read-only', 'a', { kind: 'none' }, 'read-only'],
  ]);
  assert.deepEqual(explained('stepUp: { mfa: 10h }'), ['allow', 'allowed', 'a', { kind: 'none' }, undefined]);
  const service = { ...stale, subject: { kind: 'service', id: 'batch', groups: [], roles: [] } } as const;
  assert.deepEqual(
    policyOf(`${HEAD}  - { id: a, allow: app, who: "service:batch", stepUp: { mfa: 1h } }`).explain(service)
      .remedy,
    { kind: 'none' },
    'a service signs in nowhere',
  );
});

test('whoever writes where they may only read is told of a rule that would let them after a step-up', () => {
  const policy = policyOf(`${HEAD}  - { id: a, allow: app, who: everyone, readOnly: true }
  - { id: b, allow: app, who: everyone, when: { mfa: 1h } }`);
  const { decision, remedy } = policy.explain({ ...posted, login });
  assert.equal(decision.reason, 'read-only');
  assert.deepEqual(remedy, { kind: 'step-up', maxAge: HOUR });
});

test('a remedy fulfils what the rule asks of those it lets in', () => {
  const { remedy } = policyOf(
    `${HEAD}  - { id: a, allow: app, who: everyone, when: { ticket: open }, stepUp: { phishingResistant: true } }`,
  ).explain(stale);
  assert.deepEqual(remedy, { kind: 'request-access', next: { kind: 'step-up', phishingResistant: true } });
});

test('the tests of a document get what the gateway will say', () => {
  const reading = readPolicy(
    `${HEAD}  - { id: a, allow: app, who: everyone, readOnly: true, stepUp: { mfa: 1h } }
tests:
  - { name: reads, app: app, mfa: 10m, expect: allow, rule: a }
  - { name: writes, app: app, mfa: 10m, method: POST, expect: deny, rule: a, remedy: none }
  - { name: stale, app: app, mfa: 2h, expect: deny, remedy: step-up }
`,
    'policy.yaml',
  );
  assert.ok(reading.ok);
  assert.deepEqual(reading.failures, []);
});

test('a denial for what was lacking then is no gain of a document that asks the same', async () => {
  const policy = policyOf(`${HEAD}  - { id: a, allow: app, who: everyone, stepUp: { mfa: 1h } }`);
  const report = await replay([{ id: '1', verdict: 'deny', rule: 'a', input: stale }], policy);
  assert.deepEqual([report.unchanged, report.gains], [1, []]);
});

test('a diff shows who loses by what is newly asked', () => {
  const side = (rule: string) => {
    const reading = readPolicy(`${HEAD}  - { id: a, allow: app, who: everyone${rule} }\n`, 'policy.yaml');
    assert.ok(reading.ok);
    return reading;
  };
  for (const asked of [
    'readOnly: true',
    'stepUp: { mfa: 1h }',
    'stepUp: { phishingResistant: true }',
    'maxSession: 1h',
    'redact: cards',
  ]) {
    const { decisions } = diff(side(''), side(`, ${asked}`));
    assert.deepEqual(
      decisions.map(({ change, before, after }) => [change, before, after]),
      [['loses', 'a', 'a']],
      asked,
    );
  }
});

test('a rule that nothing can fulfil, or that counts, takes nothing away from one that asks for a step-up', () => {
  const strong = { ...stale, login: { ...login, mfaAt: NOW - MINUTE, amr: ['hwk'] } };
  const decider = (rules: string, request: AccessRequest = strong) => {
    const policy = policyOf(`${HEAD}${rules}`);
    const { verdict, reason, rule } = policy.decide(request, policy.prepare(request.subject));
    return [verdict, reason, rule?.id];
  };
  const step = '  - { id: b, allow: app, who: everyone, stepUp: { mfa: 1h } }\n';
  const masked = '  - { id: a, allow: app, who: everyone, redact: cards }\n';
  const counted = '  - { id: a, allow: app, who: everyone, rate: 1/1h }\n';
  assert.deepEqual(decider(step + masked), ['allow', 'allowed', 'b']);
  assert.deepEqual(decider(step + masked, stale), ['deny', 'step-up-required', 'b']);
  assert.deepEqual(decider(step + counted), ['allow', 'allowed', 'b'], 'nothing is used up');
  assert.deepEqual(decider(step + counted, stale), ['allow', 'allowed', 'a']);
  const often = '  - { id: c, allow: app, who: everyone, rate: 10/1h }\n';
  assert.deepEqual(decider(counted + often), ['allow', 'allowed', 'c'], 'the highest rate decides');
});

test('what a shadow rule would do is said with what it asks', () => {
  const shadowOf = (rules: string, request: AccessRequest = stale) => {
    const policy = policyOf(`${HEAD}${rules}`);
    return policy.decide(request, policy.prepare(request.subject)).shadow;
  };
  const step = '  - { id: a, allow: app, who: everyone, stepUp: { mfa: 1h } }\n';
  const shadow = (asked: string) => `  - { id: s, allow: app, who: everyone, mode: shadow${asked} }\n`;
  assert.deepEqual(shadowOf(step + shadow('')), [{ rule: 's', would: 'allow' }], 'without a step-up');
  assert.deepEqual(shadowOf(step + shadow(', maxSession: 8h')), [{ rule: 's', would: 'deny' }]);
  assert.deepEqual(shadowOf(shadow(', stepUp: { mfa: 10h }')), [{ rule: 's', would: 'allow' }]);
  const strong = { ...stale, login: { ...login, mfaAt: NOW } };
  assert.deepEqual(
    shadowOf(step + shadow(', maxSession: 8h'), strong),
    [{ rule: 's', would: 'allow' }],
    'another rule lets it through',
  );
});

test('reach says what a rule asks of those it lets in, and names no rule that lets in nobody', () => {
  const policy =
    policyOf(`${HEAD}  - { id: a, allow: app, who: everyone, readOnly: true, maxSession: 8h, rate: { limit: 5/1m, by: [user, address] } }
  - { id: b, allow: app, who: everyone, when: { mfa: 8h }, stepUp: { mfa: 15m, phishingResistant: true }, record: true }
  - { id: c, allow: app, who: everyone, redact: cards }`);
  const expected = [
    ['a', 'only GET, HEAD, OPTIONS; at most 5 in 1m for each user and address; signed in at most 8h ago'],
    [
      'b',
      'mfa at most 8h ago; step-up at most 15m ago; step-up with a security key, passkey in hardware or smart card; recorded',
    ],
  ];
  for (const ways of [waysInto(policy, 'app') ?? [], waysOf(policy, stale.subject)])
    assert.deepEqual(ways.map(({ rule, conditions }) => [rule, ...conditions]).sort(), expected);
});
