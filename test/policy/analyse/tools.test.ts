// Lint, reach and diff on documents small enough to know the answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diff, type Side } from '#policy/analyse/diff';
import { lint } from '#policy/analyse/lint';
import { waysInto, waysOf } from '#policy/analyse/reach';
import { readPolicy } from '#policy/read';
import { NOW, policyOf } from '../criteria/ask.ts';

const HEAD = `
version: 1
zone: Europe/Berlin
apps: [app, other]
groups: { sre: { members: [idp:sre, oncall] }, oncall: { members: [idp:pager] } }
networks: { office: [203.0.113.0/24], vpn: [203.0.113.0/25] }
hours: { office: { days: mon-fri, from: "08:00", to: "18:00" }, early: { days: tue, from: "08:00", to: "10:00" } }
rules:
`;

function codes(rules: string): string[] {
  return lint(policyOf(HEAD + rules), { now: NOW }).map(
    ({ rule, code, by }) => `${rule} ${code}${by === undefined ? '' : ` ${by}`}`,
  );
}

test('rules that another one covers are found, dimension by dimension', () => {
  const wide = '  - { id: wide, allow: app, who: sre, when: { hours: office, network: office, mfa: 8h } }\n';
  assert.deepEqual(
    codes(
      `${wide}  - { id: n, allow: app, who: oncall, when: { hours: early, network: vpn, mfa: 4h, risk: 20 } }`,
    ),
    ['n redundant wide'],
  );
  const wider = [
    'who: everyone, when: { hours: early, network: vpn, mfa: 4h }',
    'who: oncall, when: { hours: early, network: vpn, mfa: 9h }',
    'who: oncall, when: { network: vpn, mfa: 4h }',
  ];
  for (const keys of wider) assert.deepEqual(codes(`${wide}  - { id: n, allow: app, ${keys} }`), [], keys);
});

test('an allow that a deny always overrides is shadowed; one it sometimes overrides is not', () => {
  const deny = '  - { id: d, deny: "*", when: { network: office } }\n';
  assert.deepEqual(codes(`${deny}  - { id: a, allow: app, who: sre, when: { network: vpn } }`), [
    'a shadowed d',
  ]);
  assert.deepEqual(codes(`${deny}  - { id: a, allow: app, who: sre }`), []);
  const lifted =
    '  - { id: d, deny: "*", unless: { mfa: 8h } }\n  - { id: a, allow: app, who: sre, when: { network: vpn } }';
  assert.deepEqual(codes(lifted), [], 'a deny that can be lifted shadows nothing');
});

test('of twins only one is called redundant', () => {
  const twin = (id: string): string => `  - { id: ${id}, allow: app, who: sre }\n`;
  assert.deepEqual(codes(twin('a') + twin('b') + twin('c')), ['b redundant a', 'c redundant a']);
});

test('an allow is not redundant when the other one asks more of the person', () => {
  assert.deepEqual(
    codes('  - { id: a, allow: app, who: sre, readOnly: true }\n  - { id: b, allow: app, who: oncall }'),
    [],
  );
  assert.deepEqual(
    codes('  - { id: a, allow: app, who: sre }\n  - { id: b, allow: app, who: oncall, readOnly: true }'),
    ['b redundant a'],
  );
});

test('hours that never come while a rule is in force, and rules that have ended', () => {
  const rule = (from: string, until: string): string =>
    `  - { id: r, allow: app, who: sre, from: ${from}, until: ${until}, when: { hours: office } }`;
  assert.deepEqual(codes(rule('2026-03-07T00:00+01:00', '2026-03-09T08:00+01:00')), ['r never-fires']);
  assert.deepEqual(codes(rule('2026-03-07T00:00+01:00', '2026-03-09T08:01+01:00')), []);
  assert.deepEqual(codes(rule('2026-03-02T00:00+01:00', '2026-03-04T10:00+01:00')), ['r expired']);
});

test('rules that nothing hit are reported only when hits are known', () => {
  const policy = policyOf(
    `${HEAD}  - { id: a, allow: app, who: sre }\n  - { id: b, allow: other, who: sre }`,
  );
  assert.deepEqual(lint(policy), []);
  assert.deepEqual(
    lint(policy, { hit: new Set(['a']) }).map(({ rule, code }) => [rule, code]),
    [['b', 'not-hit']],
  );
});

const REACH = `${HEAD}
  - { id: a, allow: app, who: sre, methods: GET, when: [{ mfa: 8h }, { network: office }] }
  - { id: b, allow: [app, other], who: idp:pager, when: { risk: 40 } }
  - { id: c, allow: other, who: everyone, when: { network: vpn } }
  - { id: d, deny: other, when: { network: office }, because: Closed. }
  - { id: e, deny: app, who: oncall, unless: { mfa: 1h } }
`;

test('reach: who gets into an app, under what conditions', () => {
  assert.deepEqual(waysInto(policyOf(REACH), 'app'), [
    {
      app: 'app',
      rule: 'a',
      who: ['sre'],
      conditions: [
        'protocol http; methods GET; mfa at most 8h ago',
        'protocol http; methods GET; network office',
      ],
      except: ['e'],
    },
    { app: 'app', rule: 'b', who: ['idp:pager'], conditions: ['risk below 40'], except: ['e'] },
  ]);
  assert.deepEqual(
    waysInto(policyOf(REACH), 'other')?.map(({ rule }) => rule),
    ['b'],
    'c is always denied by d',
  );
  assert.equal(waysInto(policyOf(REACH), 'nowhere'), undefined);
});

test('reach: what somebody gets to, with the denials that are about them', () => {
  const ways = (groups: string[]): string[] =>
    waysOf(policyOf(REACH), { kind: 'user', id: 'x', groups, roles: [] }).map(
      ({ app, rule, except }) => `${app} ${rule} ${except.join()}`,
    );
  assert.deepEqual(ways(['idp:sre']), ['app a ']);
  assert.deepEqual(ways(['idp:pager']), ['app a e', 'app b e', 'other b d']);
  assert.deepEqual(ways([]), []);
});

function side(text: string): Side {
  const reading = readPolicy(text, 'd.yaml');
  assert.ok(reading.ok);
  return reading;
}

test('diff names what was written differently, and shows each kind of changed decision', () => {
  const before = side(REACH);
  const after = side(
    REACH.replace('risk: 40', 'risk: 30').replace('mfa: 1h', 'mfa: 2h').replace('to: "18:00"', 'to: "17:00"'),
  );
  const { rules, definitions, decisions } = diff(before, after);
  assert.deepEqual(rules, { added: [], removed: [], changed: ['b', 'e'] });
  assert.deepEqual(definitions, ['hours.office']);
  const kinds = decisions
    .map(({ app, change, before: from, after: to }) => `${change} ${app} ${from}>${to}`)
    .sort();
  assert.ok(kinds.includes('loses other b>-'), kinds.join());
  assert.ok(
    kinds.some((kind) => kind.startsWith('gains app e>')),
    kinds.join(),
  );
  for (const { example, change } of decisions) {
    const decide = ({ policy }: Side): string =>
      policy.decide(example, policy.prepare(example.subject)).verdict;
    assert.deepEqual(
      [decide(before), decide(after)],
      change === 'gains' ? ['deny', 'allow'] : ['allow', 'deny'],
    );
  }
});

test('diff of a document with itself, or with its rules in another order, finds nothing', () => {
  const same = side(REACH);
  assert.deepEqual(diff(same, same).decisions, []);
  const lines = REACH.trimEnd().split('\n');
  const reordered = [...lines.slice(0, -5), ...lines.slice(-5).reverse()].join('\n');
  assert.deepEqual(diff(same, side(reordered)).decisions, []);
});
