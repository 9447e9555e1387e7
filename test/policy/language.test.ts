// What a document says that no schema can find fault with: names, and who its tests say asks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblems } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { readPolicy } from '#policy/read';

function problemsOf(groups: string): string {
  const loading = loadPolicy(
    `version: 1
apps: [wiki]
groups: { sre: { members: ["role:oncall", "idp:sre"] } }
rules: [{ id: a, allow: wiki, who: sre }]
tests: [{ name: t, app: wiki, groups: ${groups}, expect: deny }]
`,
    'policy.yaml',
  );
  return loading.ok ? '' : formatProblems(loading.problems).replace('policy.yaml:5:39: ', '');
}

test('a group of a test that no request can carry is told of, whatever it is called', () => {
  const no = (hint: string, group: string): string =>
    `requests carry a provider's groups, ${hint}; \`${group}\` is not one`;
  for (const name of ['constructor', 'toString', '__proto__', 'valueOf'])
    assert.equal(problemsOf(name), no('`<provider>:<group>`', name));
  assert.equal(problemsOf('sre'), no('like `idp:sre`', 'sre'));
  assert.equal(problemsOf('"group:sre"'), no('like `idp:sre`', 'group:sre'));
  assert.equal(problemsOf('"role:oncall"'), '`role:oncall` is no group of a provider; give `oncall` as role');
  assert.equal(problemsOf('"user:a:b"'), '`user:a:b` is no group of a provider; give `a:b` as user');
  assert.equal(problemsOf('"idp:other"'), '');
});

test('thousands of mistyped names are told of like thousands of other mistakes, and cost no more', () => {
  const numbers = Array.from({ length: 1500 }, (_, index) => index);
  const text = `version: 1
apps: [wiki]
groups:
${numbers.map((n) => `  group${n}: { members: [idp:g] }`).join('\n')}
rules:
${numbers.map((n) => `  - { id: r${n}, allow: wiki, who: qroup${n} }`).join('\n')}
`;
  const reading = readPolicy(text, 'policy.yaml');
  assert.ok(!reading.ok);
  assert.equal(reading.problems.length, 201);
  assert.equal(reading.problems[0]?.suggestion, 'group0');
  assert.equal(reading.problems[199]?.suggestion, undefined);
  assert.match(reading.problems[200]?.message ?? '', /^and 1300 more problems/);
});

test('what no gateway finds out yet is warned of, with what comes of it', () => {
  const warningsOf = (rule: string): string[] => {
    const reading = readPolicy(
      `version: 1
apps: [wiki]
workloads: { w: { signedBy: ci } }
rules:
  - { id: open, allow: wiki, who: everyone, when: [{ workload: w }, { mfa: 1h }] }
  - { id: a, ${rule} }
`,
      'policy.yaml',
    );
    assert.ok(reading.ok);
    return reading.warnings.map(({ line, column, message }) => `${line}:${column}: ${message}`);
  };
  const unknown = (key: string): string =>
    `no gateway finds out \`${key}\` yet, so it is unknown of every request`;
  const open = `5:52: ${unknown('workload')}, and this allows nobody`;
  assert.deepEqual(warningsOf('deny: wiki, when: { country: KP }'), [open]);
  assert.deepEqual(warningsOf('deny: wiki, when: { feed: [tor], risk: { atLeast: 80 } }'), [
    open,
    `6:26: ${unknown('feed')}, and this denies as if it held`,
    `6:26: ${unknown('risk')}, and this denies as if it held`,
  ]);
  assert.deepEqual(warningsOf('deny: wiki, unless: { approved: true }'), [
    open,
    `6:26: ${unknown('approved')}, and this lifts nothing`,
  ]);
  assert.deepEqual(warningsOf('allow: wiki, who: everyone, redact: cards'), [
    open,
    '6:42: no gateway masks answers yet, so this rule allows nobody',
  ]);
});
