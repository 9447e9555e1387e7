// Errors as this operating system raises them, in words for whoever runs this.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { describeError, describeSystemError } from '#siem/system-error';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-system-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function errorOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was refused');
}

test('a file that is not there is named by the system, a directory by whoever tried to read it', () => {
  const missing = join(directory, 'missing');
  assert.equal(
    describeSystemError(errorOf(() => readFileSync(missing))),
    `${missing}: there is no such file or directory`,
  );
  const read = errorOf(() => readFileSync(directory));
  assert.equal(describeSystemError(read), undefined, 'the system does not say what it was that it read');
  assert.equal(describeSystemError(read, directory), `${directory}: it is a directory`);
});

test('a port in use is named with its address, and what to do', async () => {
  const first = createServer().listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as AddressInfo;
  const second = createServer().listen(port, '127.0.0.1');
  const [error] = await once(second, 'error');
  first.close();
  assert.equal(
    describeSystemError(error),
    `127.0.0.1:${port}: another program listens there; end it, or choose another port`,
  );
});

test('what is no refusal of the system stays what it is', () => {
  assert.equal(describeSystemError(new TypeError('x is undefined')), undefined);
  assert.equal(describeSystemError(Object.assign(new Error('no'), { code: 'ENOENT' })), undefined);
  assert.equal(describeSystemError('ENOENT'), undefined);
});

test('what is no refusal of the system is told in its own words, with its place', () => {
  assert.equal(describeError(new Error('not a number')), 'not a number');
  assert.equal(describeError(new Error('not a number'), '/etc/x'), '/etc/x: not a number');
  const missing = Object.assign(new Error('ENOENT'), { code: 'ENOENT', syscall: 'open', path: '/etc/x' });
  assert.equal(describeError(missing), describeSystemError(missing));
});
