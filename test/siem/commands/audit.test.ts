// `sallyport audit` through the real command line: what it says, what it writes, how it exits.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { examples } from '#test/siem/ecs/examples';
import { live, stateFor } from '../ledger/part.ts';

const main = join(import.meta.dirname, '../../../bin/main.ts');
/** Hashes of the example events, which the log of `live` ends with. */
const policy = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const configHash = '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae';
const codeHash = '3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80';

function audit(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'audit', ...argv], { encoding: 'utf8' }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
    });
  });
}

test('verify says that everything fits, or names what does not', async (t) => {
  const state = stateFor(t);
  await live(state, 20);
  const good = await audit('verify', '--state', state);
  assert.equal(good.code, 0, good.out + good.err);
  assert.match(
    good.out,
    /^changes {4}2 leaves.*\ndecisions {2}\d+ leaves.*\n.*not compared.*\neverything fits\n$/,
  );

  const kept = join(state, 'kept');
  copyFileSync(join(state, 'ledger/decisions/checkpoint'), kept);
  const since = await audit('verify', '--state', state, '--since', kept, '--json');
  assert.equal(since.code, 0);
  assert.equal(JSON.parse(since.out).ok, true);

  const segment = join(state, 'outbox/000000000001.jsonl');
  writeFileSync(segment, readFileSync(segment, 'utf8').replace('"access-denied"', '"access-allowed"'));
  const bad = await audit('verify', '--state', state);
  assert.equal(bad.code, 1);
  assert.match(bad.out, /WRONG {6}\S+000000000001\.jsonl, byte \d+: this record was changed/);
  const machine = JSON.parse((await audit('verify', '--state', state, '--json')).out);
  assert.equal(machine.ok, false);
  assert.equal(machine.findings[0].file, segment);
  assert.equal(typeof machine.findings[0].position, 'number');
});

test('verify compares with what a running gateway says it runs', async (t) => {
  const state = stateFor(t);
  await live(state, 5);
  const change = examples['gateway-started'].changeId;
  const status = { policy, configHash, codeHash, change };
  const server = createServer((_, response) => response.end(JSON.stringify(status)));
  server.listen(join(state, 'admin.sock'));
  await once(server, 'listening');
  t.after(() => server.close());
  const good = await audit('verify', '--state', state);
  assert.equal(good.code, 0, good.out);
  assert.match(
    good.out,
    /as logged last: the running policy, the running configuration, the running code, the signed change/,
  );
  status.policy = codeHash;
  const bad = await audit('verify', '--state', state);
  assert.equal(bad.code, 1);
  assert.match(bad.out, /the running policy is 3b9c358f\S+, but 9f86d081\S+ was logged last/);
});

test('prove writes what verify-proof takes with nothing but a key', async (t) => {
  const state = stateFor(t);
  const ids = await live(state, 300);
  const keys = JSON.parse((await audit('key', '--state', state, '--json')).out);
  for (const [log, id = ''] of [
    ['changes', ids[0]],
    ['decisions', ids[100]],
    ['decisions', ids[200]],
  ] as const) {
    const file = join(state, `${log}.tlog-proof${id === ids[200] ? '.gz' : ''}`);
    const proven = await audit('prove', id, '--state', state, '--out', file);
    assert.equal(proven.code, 0, proven.err);
    assert.ok(existsSync(join(state, `${log}.json`)));
    const good = await audit('verify-proof', file, '--key', keys[log]);
    assert.equal(good.code, 0, good.err);
    assert.match(good.out, new RegExp(`^the event is leaf \\d+ of access.example.com/gw1/${log}`));

    const text = id === ids[200] ? gunzipSync(readFileSync(file)) : readFileSync(file);
    assert.match(text.toString('utf8'), /^c2sp\.org\/tlog-proof@v1\nindex \d+\n/, 'what other tools read');

    const other = log === 'changes' ? keys.decisions : keys.changes;
    assert.equal((await audit('verify-proof', file, '--key', other)).code, 1, 'the key of another log');
    appendFileSync(join(state, `${log}.json`), ' ');
    const bad = await audit('verify-proof', file, '--key', keys[log]);
    assert.equal(bad.code, 1);
    assert.match(bad.err, /the record is not what was logged/);
  }
  for (const [name, bytes] of [
    ['torn.tlog-proof.gz', readFileSync(join(state, 'decisions.tlog-proof.gz')).subarray(0, 200)],
    ['huge.tlog-proof.gz', gzipSync(Buffer.alloc(200_000_000))],
    ['other.tlog-proof.gz', gzipSync('hello\n')],
  ] as const) {
    writeFileSync(join(state, name), bytes);
    const event = join(state, 'decisions.json');
    const { code, err } = await audit(
      'verify-proof',
      join(state, name),
      '--key',
      keys.decisions,
      '--event',
      event,
    );
    assert.equal(code, 1, name);
    assert.match(err, /this is no proof/);
  }
  const nobody = await audit('prove', '019cb830-5000-7a00-8000-000000000001', '--state', state);
  assert.equal(nobody.code, 1);
});

test('wrong usage says what is missing', async (t) => {
  const state = stateFor(t);
  for (const [argv, expected] of [
    [[], /One of: verify, prove, verify-proof, key/],
    [['verify'], /give --config FILE or --state DIR/],
    [['verify', '--state', state], /ledger is not there/],
    [['prove', 'hello', '--state', state], /ledger is not there/],
    [['verify-proof'], /which proof/],
    [['verify-proof', 'x.tlog-proof'], /whose log/],
    [['verify-proof', 'x.tlog-proof', '--key', 'k'], /x\.tlog-proof is not there/],
  ] as const) {
    const { code, err } = await audit(...argv);
    assert.equal(code, 2, argv.join(' '));
    assert.match(err, expected);
  }
});
