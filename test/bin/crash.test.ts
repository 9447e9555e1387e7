// What is said of an error nobody expected: one line, its stack on request, and no secret in either.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { describeCrash } from '#bin/crash';

test('one line that tells how to see more', () => {
  const error = Object.assign(new Error('ENOENT: no such file, open "a\nb"'), { code: 'ENOENT' });
  assert.equal(
    describeCrash(error, false),
    'sallyport: stopped by an unexpected error: ENOENT: no such file, open "a b" (SALLYPORT_DEBUG=1 shows where)',
  );
  assert.match(describeCrash(Object.assign(new Error('gone'), { code: 'ERR_X' }), false), /: ERR_X: gone \(/);
  assert.equal(describeCrash('thrown text', false), 'sallyport: stopped: thrown text');
  assert.match(describeCrash(new TypeError(''), false), /TypeError/);
});

test('the stack and its causes on request, also of a cause that refers to itself', () => {
  const cause = new Error('the cause');
  cause.cause = cause;
  const text = describeCrash(new Error('the effect', { cause }), true);
  assert.match(text, /the effect[\s\S]*crash\.test\.ts[\s\S]*caused by: Error: the cause/);
});

const CANARY = 'zKq7Vt2mXw9RbLp4';
const leaks: readonly (readonly [string, string])[] = [
  ['a bearer token', `request failed: authorization: Bearer ${CANARY}`],
  ['basic credentials', `Authorization: Basic ${CANARY}==`],
  ['a URL with a password', `connect redis://user:${CANARY}@redis:6379 failed`],
  ['a query', `GET https://idp/token?client_secret=${CANARY}&x=1`],
  ['a field', `{"password":"${CANARY}"}`],
  ['a cookie', `__Host-session-token=${CANARY}; Path=/`],
  ['a JWT', `bad token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIx${CANARY}.c2ln${CANARY}`],
  ['a key', `-----BEGIN PRIVATE KEY-----\n${CANARY}\n-----END PRIVATE KEY-----`],
  ['a cut key', `-----BEGIN EC PRIVATE KEY-----\n${CANARY}`],
  ['long random text', `value ${CANARY}${CANARY}${CANARY}`],
];
for (const [what, message] of leaks) {
  test(`no secret: ${what}`, () => {
    for (const debug of [false, true]) {
      const told = describeCrash(new Error('outer', { cause: new Error(message) }), debug);
      assert.ok(!told.includes(CANARY), told);
      assert.ok(!describeCrash(new Error(message), debug).includes(CANARY));
      assert.ok(!describeCrash(message, debug).includes(CANARY));
    }
  });
}

test('what JSON.parse quotes of a file is left out', () => {
  let error: unknown;
  try {
    JSON.parse(`{"k": ${CANARY}}`);
  } catch (caught) {
    error = caught;
  }
  assert.ok(!describeCrash(error, true).includes(CANARY.slice(0, 8)), describeCrash(error, true));
});

/** Runs bin/main.ts after `planted`, which runs first in the same process. */
function main(planted: string, args: readonly string[] = ['--version']): ReturnType<typeof spawnSync> {
  const file = join(import.meta.dirname, '../../bin/main.ts');
  const preload = `data:text/javascript,${encodeURIComponent(planted)}`;
  return spawnSync(process.execPath, ['--import', preload, file, ...args], { encoding: 'utf8' });
}

test('a process ends with 70 and one line for whatever is thrown or rejected', () => {
  for (const planted of ['process.stdout.write = () => { throw new Error("broken") }']) {
    const { status, stdout, stderr } = main(planted);
    assert.deepEqual(
      [status, stdout, stderr],
      [70, '', 'sallyport: stopped by an unexpected error: broken (SALLYPORT_DEBUG=1 shows where)\n'],
    );
  }
});

test('a process that has nothing left to wait for before its command is done ends with 70', () => {
  const endless = 'export const dispatch = () => new Promise(() => undefined)';
  const { status, stderr } = main(`
    import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => url.endsWith('/bin/dispatch.ts')
      ? { format: 'module', source: ${JSON.stringify(endless)}, shortCircuit: true }
      : next(url, context) });
  `);
  assert.deepEqual(
    [status, stderr],
    [70, 'sallyport: stopped before it was done: nothing is left to wait for\n'],
  );
});

test('a reader that closes our output early is no fault', () => {
  const file = join(import.meta.dirname, '../../bin/main.ts');
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', 'exec 3>&1; { "$0" "$1" help; echo "code $?" >&2; } | :', process.execPath, file],
    { encoding: 'utf8' },
  );
  assert.deepEqual([status, stderr], [0, 'code 0\n']);
});
