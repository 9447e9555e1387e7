// `sallyport policy …`: what each subcommand prints and how it exits, on documents and on records as the gateway
// writes them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { help, run, subcommands } from '#bin/commands/policy';
import { stateWith } from './recorded-state.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const OLD = `version: 1
apps: [wiki]
rules:
  - { id: staff, allow: wiki, who: idp:staff }
  - id: guests-out
    deny: wiki
    mode: shadow # until Friday
    who: idp:guests
tests:
  - { name: staff reads, app: wiki, groups: idp:staff, expect: allow, rule: staff }
`;
const file = write('old.yaml', OLD);
const tightened = write(
  'new.yaml',
  OLD.replace('who: idp:staff }', 'who: idp:staff, when: { mfa: 8h } }').replace(
    'groups: idp:staff',
    'groups: idp:staff, mfa: 1h',
  ),
);

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Runs the command with both outputs caught. The test runner writes bytes to the same stream; those pass. */
async function say(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  const said = { out: '', error: '' };
  const { stdout, stderr } = process;
  const [out, error] = [stdout.write, stderr.write];
  const catching = (stream: NodeJS.WriteStream, write: typeof out, key: 'out' | 'error'): typeof out =>
    ((chunk: string | Uint8Array, ...rest: []) => {
      if (typeof chunk !== 'string') return write.call(stream, chunk, ...rest);
      said[key] += chunk;
      return true;
    }) as typeof out;
  stdout.write = catching(stdout, out, 'out');
  stderr.write = catching(stderr, error, 'error');
  try {
    const code = await run(argv);
    return { code, ...said };
  } finally {
    stdout.write = out;
    stderr.write = error;
  }
}

// Outputs are caught by replacing the process's own, so the tests run one after the other.
suite('sallyport policy', { concurrency: 1 }, () => {
  test('check: 0 for a good document, 1 with every mistake for a bad one, 2 for none', async () => {
    const good = await say('check', file);
    assert.deepEqual([good.code, good.error], [0, '']);
    assert.match(good.out, /old\.yaml: 2 rules for 1 apps, 1 of 1 tests pass, hash [0-9a-f]{12}\n$/);
    const bad = await say(
      'check',
      write('bad.yaml', 'version: 1\napps: [wiki]\nrules: [{ id: a, alow: wiki }, { id: b, deny: wikki }]\n'),
    );
    assert.equal(bad.code, 1);
    assert.match(bad.error, /bad\.yaml:3:18: unknown key `alow` \(did you mean `allow`\?\)/);
    for (const argv of [
      ['check'],
      ['check', file, file],
      ['check', join(directory, 'none.yaml')],
      ['check', directory],
      ['check', file, '--odd'],
    ]) {
      assert.equal((await say(...argv)).code, 2, argv.join(' '));
    }
  });

  test('check --json is one line, and --strict counts warnings', async () => {
    const lint = write(
      'lint.yaml',
      'version: 1\napps: [wiki]\nrules: [{ id: a, allow: wiki, who: everyone }, { id: b, allow: wiki, who: everyone }]\n',
    );
    const said = await say('check', lint, '--json');
    assert.equal(said.code, 0);
    const report = JSON.parse(said.out) as { ok: boolean; lint: { rule: string; code: string }[] };
    assert.deepEqual(
      [report.ok, report.lint.map(({ rule, code }) => `${rule} ${code}`)],
      [true, ['b redundant']],
    );
    assert.equal(said.out.split('\n').length, 2);
    assert.equal((await say('check', lint, '--strict')).code, 1);
    const bad = JSON.parse((await say('check', write('x.yaml', 'a: 1'), '--json')).out) as {
      problems: { line: number }[];
    };
    assert.equal(bad.problems[0]?.line, 1);
  });

  test('test: each test with what it got', async () => {
    assert.match((await say('test', file)).out, /^ok {4}staff reads\n1 of 1 tests pass\n$/);
    const failing = await say('test', write('failing.yaml', OLD.replace('expect: allow', 'expect: deny')));
    assert.equal(failing.code, 1);
    assert.match(failing.out, /FAIL {2}staff reads: expected deny, got allow by `staff`\n0 of 1 tests pass/);
    assert.equal((await say('check', join(directory, 'failing.yaml'))).code, 1);
    assert.equal((await say('test', join(directory, 'bad.yaml'))).code, 2);
  });

  test('explain: a described request, with the remedy', async () => {
    const denied = await say(
      'explain',
      tightened,
      '--request',
      '{ app: wiki, groups: idp:staff, mfa: 9h }',
      '--at',
      '2026-03-04T10:00Z',
    );
    assert.equal(denied.code, 1);
    assert.match(denied.out, /^DENY \(no-rule-matched\)\n/);
    assert.match(denied.out, /mfa: needs at most 8h ago; has 9h ago {2}\[mfa-too-old\]/);
    assert.match(denied.out, /What would help: sign in again \(a login no older than 8h\)\n$/);
    const allowed = await say(
      'explain',
      tightened,
      '--request',
      '{ app: wiki, groups: idp:staff, mfa: 1h }',
      '--json',
    );
    assert.equal(allowed.code, 0);
    assert.equal(
      (JSON.parse(allowed.out) as { explanation: { decision: { rule: { id: string } } } }).explanation
        .decision.rule.id,
      'staff',
    );
    const odd = await say('explain', file, '--request', '{ app: wikki, gruops: x }');
    assert.equal(odd.code, 2);
    assert.match(odd.error, /--request:1:\d+: unknown key `gruops` \(did you mean `groups`\?\)/);
    assert.equal((await say('explain', file)).code, 2);
    assert.equal((await say('explain', file, '--request', '{ app: wiki }', '--at', 'noon')).code, 2);
  });

  test('explain: a step-up that the gateway will ask for is no allow', async () => {
    const step = write('step.yaml', OLD.replace('who: idp:staff }', 'who: idp:staff, stepUp: { mfa: 1h } }'));
    const said = await say('explain', step, '--request', '{ app: wiki, groups: idp:staff, mfa: 9h }');
    assert.equal(said.code, 1);
    assert.match(said.out, /^DENY \(step-up-required: staff\)\n/);
    assert.match(said.out, /\nWhat would help: sign in again\n$/);
  });

  test('reach: an app, and somebody', async () => {
    assert.match((await say('reach', file, '--app', 'wiki')).out, /^wiki: idp:staff {2}\(rule staff\)\n$/);
    assert.equal((await say('reach', file, '--group', 'idp:staff')).code, 0);
    const local = await say('reach', file, '--group', 'staff');
    assert.equal(local.code, 2);
    assert.match(local.error, /requests carry a provider's groups, `<provider>:<group>`; `staff` is not one/);
    const nobody = await say('reach', file, '--user', 'anna@example.org');
    assert.deepEqual([nobody.code, nobody.out], [1, 'nobody and nothing\n']);
    const odd = await say('reach', file, '--app', 'wikii');
    assert.equal(odd.code, 2);
    assert.match(odd.error, /no app `wikii` \(did you mean `wiki`\?\)/);
    assert.equal((await say('reach', file, '--app', 'wiki', '--user', 'x')).code, 2);
  });

  test('lint: what no test hits, and what traffic hits', async () => {
    const said = await say('lint', file);
    assert.equal(said.code, 1);
    assert.match(said.out, /rule `guests-out` not-hit/);
    assert.equal(
      (await say('lint', file, '--state', stateWith(directory, OLD, [{ id: 'g', groups: ['idp:guests'] }])))
        .code,
      0,
    );
  });

  test('diff: what is written and decided differently', async () => {
    const same = await say('diff', file, file);
    assert.equal(same.code, 0);
    assert.match(same.out, /^no decision differs in \d+ probes\n$/);
    const said = await say('diff', file, tightened);
    assert.equal(said.code, 1);
    assert.match(
      said.out,
      /rules changed: staff\nloses: wiki, from staff to -; for example user example, idp:staff: GET \//,
    );
  });

  test('replay: recorded requests through another document', async () => {
    const state = stateWith(directory, OLD, [
      { id: 'anna', groups: ['idp:staff'] },
      { id: 'bert', groups: ['idp:staff', 'idp:guests'] },
      { id: 'cara', groups: [] },
    ]);
    const same = await say('replay', file, '--state', state);
    assert.equal(same.code, 0);
    assert.equal(
      same.out,
      'shadow rule guests-out: matched 1, would change 1\n3 requests, 3 decided as before\n',
    );
    const said = await say('replay', tightened, '--state', state, '--json');
    assert.equal(said.code, 1);
    const report = JSON.parse(said.out) as {
      requests: number;
      losses: { before: string; requests: number; example: string }[];
    };
    assert.deepEqual(
      [report.requests, report.losses[0]?.before, report.losses[0]?.requests],
      [3, 'staff', 2],
    );
    const why = await say(
      'explain',
      tightened,
      '--decision',
      report.losses[0]?.example ?? '',
      '--state',
      state,
    );
    assert.match(why.out, /mfa: needs at most 8h ago; has unknown {2}\[mfa-unknown\]/);
    assert.match((await say('replay', file, '--state', state, '--since', '2020-01-01')).out, /3 requests/);
    for (const argv of [['--state', directory], ['--state', state, '--since', 'soon'], []]) {
      assert.equal((await say('replay', file, ...argv)).code, 2);
    }
    assert.equal((await say('explain', file, '--decision', 'nothing', '--state', state)).code, 2);
  });

  test('promote: takes the shadow off one rule and nothing else', async () => {
    const printed = await say('promote', file, 'guests-out');
    assert.equal(printed.code, 0);
    assert.equal(printed.out, OLD.replace('    mode: shadow # until Friday\n', ''));
    assert.equal(readFileSync(file, 'utf8'), OLD, 'nothing was written');
    const forms = [
      ['  - { id: s, deny: wiki, mode: shadow, who: everyone }', '  - { id: s, deny: wiki, who: everyone }'],
      ['  - { id: s, deny: wiki, mode: shadow }', '  - { id: s, deny: wiki }'],
      ['  - { mode: shadow, id: s, deny: wiki }', '  - { id: s, deny: wiki }'],
      ['  - mode: shadow\n    id: s\n    deny: wiki', '  - id: s\n    deny: wiki'],
      ['  - id: s\n    deny: wiki\n    mode: shadow', '  - id: s\n    deny: wiki'],
      ['  - id: s\r\n    deny: wiki\r\n    mode: shadow\r', '  - id: s\r\n    deny: wiki\r'],
      [
        '  - mode: shadow # why\n    # who\n    id: s\n    deny: wiki',
        '  - # who\n    id: s\n    deny: wiki',
      ],
    ];
    for (const [before = '', afterwards = ''] of forms) {
      const path = write('promote.yaml', `version: 1\napps: [wiki]\nrules:\n${before}\n# the end\n`);
      const { mode } = statSync(path);
      assert.equal((await say('promote', path, 's', '--write')).code, 0, before);
      assert.equal(
        readFileSync(path, 'utf8'),
        `version: 1\napps: [wiki]\nrules:\n${afterwards}\n# the end\n`,
      );
      assert.equal(statSync(path).mode, mode);
    }
    const aliased = `version: 1\napps: [wiki]\nrules:\n  - { id: r, deny: wiki, mode: &m shadow }\n  - { id: s, deny: wiki, mode: *m }\n`;
    for (const id of ['r', 's']) {
      const path = write('aliased.yaml', aliased);
      const cannot = await say('promote', path, id, '--write');
      assert.equal(cannot.code, 1, id);
      assert.equal(readFileSync(path, 'utf8'), aliased);
    }
    assert.match((await say('promote', join(directory, 'aliased.yaml'), 's')).error, /change it by hand\n$/);
    const odd = await say('promote', file, 'guest-out');
    assert.equal(odd.code, 2);
    assert.match(odd.error, /`guest-out` is no shadow rule of .* \(did you mean `guests-out`\?\)/);
    const clash = write('clash.yaml', OLD.replace('who: idp:guests', 'who: idp:staff'));
    assert.equal((await say('promote', clash, 'guests-out', '--write')).code, 1, 'its own tests would fail');
    assert.match(readFileSync(clash, 'utf8'), /mode: shadow/);
  });

  test('every subcommand has help, and a wrong word is told the right ones', async () => {
    for (const [name, text] of Object.entries(subcommands)) {
      assert.match(
        text,
        new RegExp(
          `^Usage: sallyport policy ${name} .*\\n[^]*Exit codes: [^]*\\n\\nExample: sallyport policy ${name} .*\\n$`,
        ),
      );
      assert.match(help, new RegExp(`\\n  ${name} `));
      assert.deepEqual(await say(name, '--help'), { code: 0, out: text, error: '' });
    }
    const odd = await say('chek');
    assert.equal(odd.code, 2);
    assert.match(odd.error, /name one of check, test, /);
  });
});
