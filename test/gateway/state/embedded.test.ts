// The embedded store: the contract, what survives a restart, and that it is one process's own.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { StateError } from '#gateway/state/error';
import { LooseModeError, readPrivate, writeWhole } from '#gateway/state/private-files';
import { storeContract } from '#test/contract/store';

const root = mkdtempSync(join(tmpdir(), 'sallyport-state-'));
after(() => rmSync(root, { recursive: true, force: true }));

storeContract('the embedded store', async () => {
  let time = 1_000_000;
  const store = openEmbeddedStore(join(root, 'contract'), () => time);
  return {
    store,
    now: () => time,
    advance: (milliseconds) => {
      time += milliseconds;
    },
    close: () => store.close(),
  };
});

describe('its file', () => {
  test('keeps records over a restart', async () => {
    const directory = join(root, 'restart');
    const first = openEmbeddedStore(directory, Date.now);
    await first.put('door', 'a', { session: 's', host: 'h' });
    await first.close();
    const second = openEmbeddedStore(directory, Date.now);
    assert.deepEqual(await second.get('door', 'a'), { session: 's', host: 'h' });
    await second.close();
  });

  test('is private, and refused when others can read its directory', () => {
    const directory = join(root, 'modes');
    const store = openEmbeddedStore(directory, Date.now);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(directory, 'state.sqlite')).mode & 0o777, 0o600);
    void store.close();
    chmodSync(directory, 0o755);
    assert.throws(
      () => openEmbeddedStore(directory, Date.now),
      (error: Error) => {
        return error instanceof LooseModeError && error.message.includes(`chmod 700 ${directory}`);
      },
    );
  });

  test('is private also where an earlier start made its file and got no further', () => {
    const directory = join(root, 'begun');
    mkdirSync(directory, { mode: 0o700 });
    const file = join(directory, 'state.sqlite');
    writeFileSync(file, '', { mode: 0o644 });
    void openEmbeddedStore(directory, Date.now).close();
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('that takes nothing for a while, as on a full disk, ends no gateway when it is swept', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const directory = join(root, 'swept');
    await openEmbeddedStore(directory, Date.now).close();
    const db = new DatabaseSync(join(directory, 'state.sqlite'));
    let time = 1000;
    const store = new EmbeddedStore(db, () => time);
    await store.put('door', 'a', { session: 's', host: 'h' }, 2000);
    db.exec('PRAGMA query_only = ON');
    time = 3000;
    t.mock.timers.tick(60_000);
    assert.deepEqual(await store.list('door'), []);
    db.exec('PRAGMA query_only = OFF');
    t.mock.timers.tick(60_000);
    assert.equal(db.prepare('SELECT count(*) AS left FROM record').get()?.['left'], 0);
    await store.close();
  });

  test('is not shared by two gateways', async () => {
    const directory = join(root, 'locked');
    const store = openEmbeddedStore(directory, Date.now);
    assert.throws(
      () => openEmbeddedStore(directory, Date.now),
      (error: Error) => error instanceof StateError && error.code === 'state-locked',
    );
    await store.close();
  });

  test('that is no database is not taken for one that is in use', () => {
    const directory = join(root, 'damaged');
    void openEmbeddedStore(directory, Date.now).close();
    const file = join(directory, 'state.sqlite');
    const damaged = { code: 'state-unusable', message: /state\.sqlite cannot be used: .*not a database/ };
    writeFileSync(file, 'half of something else'.repeat(50));
    assert.throws(() => openEmbeddedStore(directory, Date.now), damaged);
    rmSync(file);
    mkdirSync(file);
    const missing = { code: 'state-unusable', message: /state\.sqlite cannot be used: unable to open/ };
    assert.throws(() => openEmbeddedStore(directory, Date.now), missing);
  });

  test('of a newer layout is left alone', () => {
    const directory = join(root, 'newer');
    void openEmbeddedStore(directory, Date.now).close();
    const db = new DatabaseSync(join(directory, 'state.sqlite'));
    db.exec('PRAGMA user_version = 99');
    db.close();
    assert.throws(
      () => openEmbeddedStore(directory, Date.now),
      (error: Error) =>
        error instanceof StateError && error.code === 'state-newer' && error.message.includes('99'),
    );
  });
});

describe('private files', () => {
  test('are written whole for their owner and read without the trailing newline', () => {
    const path = join(root, 'secret');
    writeWhole(path, 'first\n');
    writeWhole(path, 'second\n');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(readPrivate(path), 'second');
  });

  test('that others can read are refused', () => {
    const path = join(root, 'loose');
    writeWhole(path, 'x');
    chmodSync(path, 0o640);
    assert.throws(() => readPrivate(path), LooseModeError);
  });
});
