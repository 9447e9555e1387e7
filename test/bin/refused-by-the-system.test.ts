// What the file system refuses is said in one line with the file, and is never told as a fault of ours.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-refused-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const garbage = join(directory, 'garbage');
writeFileSync(garbage, 'not what was asked for\n');

function sallyport(...words: readonly string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [join(import.meta.dirname, '../../bin/main.ts'), ...words], {
    encoding: 'utf8',
    input: '',
    timeout: 30_000,
  });
}

test('a directory where a file is to be written or read', () => {
  const written = sallyport('release', 'manifest', '--out', directory);
  assert.equal(written.status, 1, written.stderr);
  assert.equal(written.stderr, `sallyport: ${directory}: it is a directory\n`);
  assert.deepEqual(
    readdirSync(dirname(directory)).filter((name) => name.startsWith(`${basename(directory)}.`)),
    [],
    'nothing half written is left',
  );
  const read = sallyport('release', 'check', '--signers', directory);
  assert.equal(read.status, 1, read.stderr);
  assert.equal(read.stderr, `sallyport release: ${directory}: it is a directory\n`);
});

test('a token that could not be written is not asked for', () => {
  const config = join(directory, 'gateway.yaml');
  writeFileSync(
    config,
    `version: 1
policy: ./policy.yaml
portal: https://access.localhost:8443
listen: { people: "127.0.0.1:0", connectors: "127.0.0.1:0", health: "127.0.0.1:0" }
identity: { providers: [{ id: corp, name: Corp, issuer: "https://id.example.com", clientId: sallyport }] }
apps: [{ id: wiki, name: Wiki, host: wiki.localhost, connectors: [rack-1] }]
`,
  );
  const missing = join(directory, 'none');
  const nowhere = [join(missing, 'token'), `${missing}: there is no such file or directory`] as const;
  for (const [words, [out, said]] of [
    [
      ['token', 'create', '--connector', 'rack-1'],
      [directory, `${directory}: it is a directory`],
    ],
    [['token', 'create', '--connector', 'rack-1'], nowhere],
    [['ca', 'issue-service', '--service', 'billing'], nowhere],
    [['device', 'token', '--name', 'ada-laptop'], nowhere],
  ] as const) {
    const { status, stderr } = sallyport(...words, '--config', config, '--out', out);
    // No gateway runs: whoever had asked one first would have missed it first.
    assert.deepEqual([status, stderr.replace(/^sallyport[a-z ]*: /, '')], [1, `${said}\n`]);
  }
});

test('a machine is not enrolled where its keys could not be kept', () => {
  const [open, taken] = [join(directory, 'open'), join(directory, 'taken')];
  mkdirSync(join(open, 'sallyport'), { recursive: true, mode: 0o755 });
  mkdirSync(taken);
  writeFileSync(join(taken, 'sallyport'), '');
  const before = process.env['XDG_CONFIG_HOME'];
  try {
    for (const [home, why] of [
      [open, `${join(open, 'sallyport')} has mode 755: others could read it. Run: chmod 700`],
      [taken, `${join(taken, 'sallyport')}: `],
    ] as const) {
      process.env['XDG_CONFIG_HOME'] = home;
      // No TPM is there, nor a portal: whoever had asked one first would have missed it first.
      const way = ['--portal', 'https://127.0.0.1:1', '--tpm', 'swtpm:127.0.0.1:1', '--token-file', garbage];
      const { status, stderr } = sallyport('device', 'enrol', ...way);
      assert.equal(status, 1, stderr);
      assert.ok(stderr.includes(why), stderr);
    }
  } finally {
    if (before === undefined) delete process.env['XDG_CONFIG_HOME'];
    else process.env['XDG_CONFIG_HOME'] = before;
  }
});

test('a mistake in a list of signers is told with its file', () => {
  const { status, stderr } = sallyport('release', 'check', '--signers', garbage);
  assert.equal(status, 1, stderr);
  assert.ok(stderr.startsWith(`sallyport release: ${garbage}: line 1: `), stderr);
});

test('an authority that is none is told before a browser is opened', () => {
  for (const command of ['login', 'device enrol']) {
    for (const [file, why] of [
      [garbage, 'there is no certificate in it; expected PEM'],
      [join(directory, 'missing'), 'there is no such file or directory'],
    ] as const) {
      const words = [...command.split(' '), '--portal', 'https://localhost:1', '--ca', file];
      const { status, stderr } = sallyport(...words);
      assert.equal(status, 2, stderr);
      assert.ok(stderr.startsWith(`sallyport ${command}: --ca ${file}: ${why}`), stderr);
    }
  }
});

test('a configuration that is not there is named', () => {
  const file = join(directory, 'missing.yaml');
  for (const command of ['gateway', 'connector', 'status']) {
    const { status, stderr } = sallyport(command, '--config', file);
    assert.equal(status, 2, stderr);
    assert.ok(
      stderr.includes(
        `${file}: there is no such file or directory. Name the configuration with --config FILE.`,
      ),
      stderr,
    );
  }
});

test('a device in the place of a policy is not read by the check either', () => {
  const config = join(directory, 'device.yaml');
  writeFileSync(
    config,
    `version: 1
policy: /dev/zero
portal: https://access.localhost:8443
identity: { providers: [{ id: corp, name: Corp, issuer: "https://id.example.com", clientId: sallyport }] }
apps: [{ id: wiki, name: Wiki, host: wiki.localhost, connectors: [rack-1] }]
`,
  );
  const { status, stderr } = sallyport('gateway', '--config', config, '--check');
  assert.deepEqual([status, stderr], [2, '/dev/zero: it is no regular file\n']);
});

test('an unknown option is told in one sentence', () => {
  const { status, stderr } = sallyport('policy', 'check', '--config', garbage);
  assert.equal(status, 2, stderr);
  assert.equal(
    stderr,
    "sallyport policy check: Unknown option '--config'\nTry: sallyport policy check --help\n",
  );
});

test('a full disk behind the output', { skip: process.platform !== 'linux' }, () => {
  const main = join(import.meta.dirname, '../../bin/main.ts');
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', 'exec "$0" "$1" schema gateway > /dev/full', process.execPath, main],
    { encoding: 'utf8' },
  );
  assert.deepEqual([status, stderr], [1, 'sallyport: the output: there is no space left on the device\n']);
});
