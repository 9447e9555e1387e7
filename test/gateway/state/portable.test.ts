// A state as lines: out of one store, into another of the other kind, and back; and the state of the first version.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Sessions } from '#gateway/identity/sessions';
import { openStore } from '#gateway/state/open';
import { copyingInto, exported, imported, recordsIn, requireWhole } from '#gateway/state/portable';
import type { Store } from '#gateway/state/store';
import { ask, REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';

const NOW = Date.parse('2026-03-04T12:00:00Z');

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-portable-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function embedded(t: TestContext): Promise<Store> {
  const store = await openStore({ kind: 'embedded', directory: join(directoryFor(t), 'state') }, () => NOW);
  t.after(() => store.close());
  return store;
}

async function filled(store: Store): Promise<{ cookie: string }> {
  const sessions = new Sessions(
    store,
    { idle: 3_600_000, absolute: 7_200_000 },
    () => NOW,
    async () => undefined,
  );
  const subject = { kind: 'user', id: 'https://id#1', groups: [], roles: [] } as const;
  const session = await sessions.start(subject, { provider: 'corp', at: NOW }, '192.0.2.1', 'sid');
  const { value } = await sessions.openDoor(session, 'wiki.example.com');
  await store.put('connector', 'rack-1', { enrolledAt: NOW, certificates: [], revoked: true });
  await store.put('presence', 'x', { name: 'edge', address: 'https://edge' }, NOW + 1000);
  return { cookie: value };
}

const lines = (store: Store): Promise<string[]> => exported(store, NOW);

test('what is in one store comes whole into another, and what has no future stays behind', async (t) => {
  const [from, to] = [await embedded(t), await embedded(t)];
  const { cookie } = await filled(from);
  const text = await lines(from);
  assert.equal(await imported(to, text, NOW, 'restore'), recordsIn(text));
  assert.deepEqual(await lines(to), text);
  assert.equal((await to.list('presence')).length, 0);
  const sessions = new Sessions(
    to,
    { idle: 3_600_000, absolute: 7_200_000 },
    () => NOW,
    async () => undefined,
  );
  assert.ok(await sessions.find(cookie, 'wiki.example.com'));
  assert.equal(
    await imported(await embedded(t), text, NOW + 7_200_000, 'restore'),
    1,
    'the connector; the rest has ended',
  );
});

test('a file that is no good restores nothing', async (t) => {
  const from = await embedded(t);
  await filled(from);
  const text = await lines(from);
  for (const [bad, says] of [
    [['{}', ...text.slice(1)], /not a backup/],
    [['{"sallyport":"state","version":99}'], /version 99; this Sallyport knows 2/],
    [[...text.slice(0, -1), '["session","x",', ''], /torn: nothing was restored/],
    [[...text.slice(0, -1), '["nonsense","x",{},null]', ''], /no record: nothing was restored/],
    [[...text.slice(0, -1), '["presence","x",{},null]', ''], /no record: nothing was restored/],
    [text.slice(0, -1), /cut short or was changed/],
    [text.slice(0, -2), /cut short or was changed/],
    [text.toSpliced(1, 1), /cut short or was changed/],
    [text.map((line) => line.replace('rack-1', 'rack-2')), /cut short or was changed/],
  ] as const) {
    const to = await embedded(t);
    await assert.rejects(imported(to, bad, NOW, 'restore'), says);
    assert.equal(recordsIn(await lines(to)), 0);
    assert.equal(await copyingInto(to), undefined);
  }
});

test('a backup of the first version, which nothing ended, is restored', async (t) => {
  const from = await embedded(t);
  await filled(from);
  const text = await lines(from);
  const first = ['{"sallyport":"state","version":1,"at":1}', ...text.slice(1, -1)];
  const to = await embedded(t);
  assert.equal(await imported(to, first, NOW, 'restore'), recordsIn(text));
  assert.deepEqual(await lines(to), text);
});

test('a copy that breaks off has put revocations first, and no gateway goes on with it', async (t) => {
  const from = await embedded(t);
  await filled(from);
  await from.put('revocation', 'person:https://id#1', { at: NOW, by: 'ops' });
  const text = await lines(from);
  const kinds: string[] = [];
  const to = await embedded(t);
  const breaking = new Proxy(to, {
    get: (target, name: keyof Store) =>
      name !== 'put'
        ? (target[name] as () => unknown).bind(target)
        : async (...args: Parameters<Store['put']>) => {
            if (kinds.length === 3) throw new Error('killed');
            kinds.push(args[0]);
            return target.put(...args);
          },
  });
  await assert.rejects(imported(breaking, text, NOW, 'restore'), /killed/);
  assert.deepEqual(kinds, ['copying', 'revocation', 'session']);
  await assert.rejects(requireWhole(to), /`sallyport state restore` has not come to its end/);
  await imported(to, text, NOW, 'restore');
  await requireWhole(to);
  assert.deepEqual(await lines(to), text);
});

test('from a file to Redis and back', { skip: requires(...REDIS_NEEDS) }, async (t) => {
  const { port } = await redisServer(t);
  const directory = directoryFor(t);
  const file = join(directory, 'secret');
  writeFileSync(file, 'a secret of more than thirty-two characters', { mode: 0o600 });
  const redis = { server: { host: '127.0.0.1', port }, database: 0, prefix: 'sallyport' };
  const there = await openStore({ kind: 'redis', directory, secret: { file }, redis }, () => NOW);
  t.after(() => there.close());
  const from = await embedded(t);
  await filled(from);
  const text = await lines(from);
  await imported(there, text, NOW, 'migrate');
  assert.deepEqual(await lines(there), text);
});

test('the state that the first version wrote to Redis is read, and nothing of it is lost', {
  skip: requires(...REDIS_NEEDS),
}, async (t) => {
  const { port } = await redisServer(t);
  const wrote = JSON.parse(readFileSync(join(import.meta.dirname, 'layout-1.redis.json'), 'utf8')) as Layout;
  for (const [key, value] of Object.entries(wrote.records)) await ask(port, 'SET', key, value);
  for (const [key, members] of Object.entries(wrote.indexes)) {
    for (const [member, score] of Object.entries(members)) await ask(port, 'ZADD', key, score, member);
  }
  const directory = directoryFor(t);
  const file = join(directory, 'secret');
  writeFileSync(file, wrote.secret, { mode: 0o600 });
  const redis = { server: { host: '127.0.0.1', port }, database: 0, prefix: 'sallyport' };
  const store = await openStore({ kind: 'redis', directory, secret: { file }, redis }, () => NOW);
  t.after(() => store.close());
  const limits = { idle: 3_600_000, absolute: 43_200_000 };
  const sessions = new Sessions(
    store,
    limits,
    () => NOW,
    async () => undefined,
  );
  assert.ok(await sessions.find(wrote.cookie, 'wiki.example.com'), 'who was signed in is');
  assert.equal((await store.get('connector', 'rack-1'))?.revoked, true, 'who was revoked is');
  const [held] = await store.list('session');
  assert.ok(await sessions.end(held?.[0] ?? '', 'logout'));
  assert.equal((await store.list('session')).length, 0);
});

interface Layout {
  readonly secret: string;
  readonly cookie: string;
  readonly records: Readonly<Record<string, string>>;
  readonly indexes: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

test('the state that the first version wrote is read, and everything in it works', async (t) => {
  const directory = directoryFor(t);
  await (await openStore({ kind: 'embedded', directory: join(directory, 'state') }, () => NOW)).close();
  const db = new DatabaseSync(join(directory, 'state/state.sqlite'));
  db.exec('DROP TABLE record; PRAGMA user_version = 0;');
  db.exec(readFileSync(join(import.meta.dirname, 'layout-1.sql'), 'utf8'));
  db.close();
  const read = await openStore({ kind: 'embedded', directory: join(directory, 'state') }, () => NOW);
  t.after(() => read.close());
  const limits = { idle: 3_600_000, absolute: 43_200_000 };
  const sessions = new Sessions(
    read,
    limits,
    () => NOW,
    async () => undefined,
  );
  const session = await sessions.byId('8f1a2b3c-0000-4000-8000-000000000001');
  assert.equal(session?.subject.email, 'ada@example.com');
  assert.equal((await read.get('connector', 'rack-1'))?.certificates.length, 1);
  assert.equal((await read.get('door', 'hash-of-a-cookie'))?.session, session?.id);
  assert.ok(
    await sessions.end(session?.id ?? '', 'logout'),
    'a session without an entry for its person ends as well',
  );
});
