// Who a command says it acts for, and why it does not see what a gateway keeps.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { operatorName } from '#bin/operator';
import { whyAbsent } from '#bin/why-absent';

test('a user without an entry in the system is named by its number', () => {
  assert.equal(
    operatorName(() => ({ username: 'ada' })),
    'ada',
  );
  const unknown = (): never => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  };
  assert.equal(operatorName(unknown, 1234), 'uid 1234');
});

test('what is not there is told apart from what cannot be looked at', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-absent-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const missing = join(directory, 'outbox');
  assert.equal(whyAbsent(missing, 'did it run?'), `${missing} is not there: did it run?`);
  writeFileSync(join(directory, 'file'), '');
  const below = join(directory, 'file', 'outbox');
  assert.equal(whyAbsent(below, 'did it run?'), `${below}: a part of this path is no directory; did it run?`);
});

const root = process.getuid?.() === 0;
test('what is for another user is said to be', {
  skip: root ? 'root may look at everything' : false,
}, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-foreign-'));
  t.after(() => {
    chmodSync(directory, 0o700);
    rmSync(directory, { recursive: true, force: true });
  });
  chmodSync(directory, 0o000);
  assert.match(whyAbsent(join(directory, 'outbox'), 'did it run?'), /not permitted .* the gateway runs as$/);
});
