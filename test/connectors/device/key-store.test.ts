// What enrolment leaves on a machine, and the event log it reads: private, whole, or refused with what to do.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { EventLogError, readEventLog } from '#connectors/device/event-log';
import {
  type DeviceState,
  deviceFile,
  KeyStoreError,
  readDevice,
  writeDevice,
} from '#connectors/device/key-store';

const root = mkdtempSync(join(tmpdir(), 'sallyport-keys-'));
after(() => rmSync(root, { recursive: true, force: true }));

const key = (byte: number) => ({ public: Buffer.from([byte]), private: Buffer.from([byte, byte]) });
const state: DeviceState = {
  portal: 'https://access.example.com',
  device: '0199c3d2',
  name: 'anna-laptop',
  tpm: '/dev/tpmrm0',
  keys: { endorsement: 'P-384', attestation: key(1), session: key(2) },
};
const code = (expected: string) => (error: Error) =>
  error instanceof KeyStoreError && error.code === expected;

describe('the key store', () => {
  const file = deviceFile(join(root, 'sallyport', 'credentials.json'));

  test('gives back what it was given, for its owner only', () => {
    assert.throws(() => readDevice(file), code('not-enrolled'));
    writeDevice(file, state);
    assert.deepEqual(readDevice(file), state);
    writeDevice(file, { ...state, ca: 'PEM' });
    assert.deepEqual(readDevice(file), { ...state, ca: 'PEM' });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(statSync(join(root, 'sallyport')).mode & 0o777, 0o700);
  });

  test('refuses what others can read or change, and says how to mend it', () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610]) {
      chmodSync(file, mode);
      assert.throws(() => readDevice(file), code('loose-mode'), mode.toString(8));
      assert.throws(() => readDevice(file), new RegExp(`Run: chmod 600 ${file}`));
    }
    chmodSync(file, 0o600);
    for (const mode of [0o750, 0o705, 0o770]) {
      chmodSync(join(root, 'sallyport'), mode);
      assert.throws(() => readDevice(file), code('loose-mode'), mode.toString(8));
      assert.throws(() => writeDevice(file, state), code('loose-mode'), mode.toString(8));
    }
    chmodSync(join(root, 'sallyport'), 0o700);
    assert.equal(readDevice(file).name, 'anna-laptop');
  });

  test('refuses what is incomplete', () => {
    for (const text of [
      '',
      'null',
      '{}',
      'not json',
      '{"portal":1}',
      JSON.stringify({ ...state, keys: {} }),
    ]) {
      writeFileSync(file, text, { mode: 0o600 });
      assert.throws(() => readDevice(file), code('unreadable'), text);
    }
  });
});

describe('the event log', () => {
  test('is read whole; without one it is empty; too much of it is refused', () => {
    const file = join(root, 'log');
    assert.equal(readEventLog(file).length, 0);
    writeFileSync(file, Buffer.alloc(256 * 1024, 1));
    assert.equal(readEventLog(file).length, 256 * 1024);
    writeFileSync(file, Buffer.alloc(256 * 1024 + 1));
    assert.throws(() => readEventLog(file), EventLogError);
    assert.throws(() => readEventLog(root), /let this user read it/);
  });
});
