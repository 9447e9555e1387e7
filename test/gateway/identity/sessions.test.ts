// Sessions at their edges: who is told of an end, whose sessions are whose, what is kept of a use, and what others end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret, newSecret } from '#gateway/identity/cookies';
import { Sessions } from '#gateway/identity/sessions';
import { clock, ended, gateway, HOUR, LIMITS, settle, start, store, subject } from './session-bed.ts';

test('a session is found by the provider’s name for it, where it has one', async () => {
  const sessions = gateway();
  const named = await start(sessions, 'sid-1');
  await start(sessions);
  assert.deepEqual(await sessions.ofProvider('corp', 'sid-1'), [named.id]);
  assert.deepEqual(await sessions.ofProvider('corp', 'undefined'), []);
  assert.deepEqual(await sessions.ofProvider('other', 'sid-1'), []);
});

test('who signs in more than once while signed in at the provider has each session found, until it is over', async () => {
  const sessions = gateway();
  const [one, two] = [await start(sessions, 'sid-2'), await start(sessions, 'sid-2')];
  const found = (): Promise<readonly string[]> => sessions.ofProvider('corp', 'sid-2');
  assert.deepEqual(await found(), [one.id, two.id]);
  clock.time += HOUR;
  const three = await start(sessions, 'sid-2');
  assert.deepEqual(await found(), [one.id, two.id, three.id]);
  clock.time += LIMITS.absolute;
  const four = await start(sessions, 'sid-2');
  assert.deepEqual(await found(), [four.id]);
});

test('who asks after a session ended does not wait for what was read before', async (t) => {
  const sessions = gateway();
  const { id } = await start(sessions);
  const { get } = store;
  const { promise: arrives, resolve: arrive } = Promise.withResolvers<void>();
  store.get = async (kind, key) => {
    const found = await get.call(store, kind, key);
    await arrives;
    return found as never;
  };
  t.after(() => {
    store.get = get;
  });
  const before = sessions.alive(id);
  const together = sessions.alive(id);
  await settle();
  await sessions.end(id, 'revoked');
  const after = sessions.alive(id);
  arrive();
  assert.deepEqual([await before, await together, await after], [true, true, false]);
});

test('a session of a provider that is not configured any more opens nothing, and can be seen and ended', async () => {
  const { id } = await start(gateway());
  for (const [provider, lives] of [
    ['corp', true],
    ['other', false],
  ] as const) {
    const sessions = gateway({ ...LIMITS, providers: new Set([provider]) });
    assert.equal(await sessions.alive(id), lives);
    assert.equal((await sessions.byId(id))?.id, lives ? id : undefined);
  }
  const sessions = gateway({ ...LIMITS, providers: new Set() });
  assert.deepEqual(
    (await sessions.ofPerson(subject().id)).map((one) => one.id),
    [id],
  );
  assert.equal(await sessions.end(id, 'revoked'), true);
});

test('a person’s sessions are theirs until each ends', async () => {
  const sessions = gateway();
  const [one, two] = [await start(sessions), await start(sessions)];
  const ids = async (): Promise<string[]> => (await sessions.ofPerson(subject().id)).map(({ id }) => id);
  assert.deepEqual(await ids(), [one.id, two.id]);
  assert.equal(await sessions.end(one.id, 'revoked'), true);
  assert.deepEqual(await ids(), [two.id]);
  assert.deepEqual(
    (await store.get('person', subject().id))?.sessions.map(({ id }) => id),
    [two.id],
  );
  await sessions.end(two.id, 'logout');
  assert.deepEqual((await store.get('person', subject().id))?.sessions ?? [], []);
  assert.equal(await sessions.end(two.id, 'logout'), false);
  assert.deepEqual(ended, [
    [one.id, 'revoked'],
    [two.id, 'logout'],
  ]);
});

test('a list of sessions that holds none of an ended one is left as it is', async () => {
  const sessions = gateway();
  const [one, two] = [await start(sessions), await start(sessions)];
  await store.put(
    'person',
    subject().id,
    { sessions: [{ id: two.id, expiresAt: two.expiresAt }] },
    two.expiresAt + 5,
  );
  let changes = 0;
  const { update } = store;
  store.update = async (kind, key, change) =>
    update.call(store, kind, key, ((current: never) => {
      const next = change(current);
      if (kind === 'person' && next !== undefined) changes += 1;
      return next;
    }) as never);
  await sessions.end(one.id, 'revoked');
  assert.equal(changes, 0);
  await sessions.end(two.id, 'revoked');
  assert.equal(changes, 1);
  store.update = update;
});

test('a list of sessions lasts as long as its longest, and a moment when it is empty', async () => {
  const sessions = gateway();
  const one = await start(sessions);
  clock.time += HOUR / 2;
  const two = await start(sessions);
  const expiry = async (): Promise<number | undefined> =>
    (await store.list('person')).find(([key]) => key === subject().id)?.[2];
  assert.equal(await expiry(), two.expiresAt);
  await sessions.end(two.id, 'logout');
  assert.equal(await expiry(), one.expiresAt);
  await sessions.end(one.id, 'logout');
  assert.equal(await expiry(), clock.time + 1);
});

test('a session that ends this moment is not counted among a person’s', async () => {
  const sessions = gateway({ ...LIMITS, perPerson: 1 });
  const one = await start(sessions);
  clock.time = one.expiresAt;
  const two = await start(sessions);
  assert.deepEqual(
    (await store.get('person', subject().id))?.sessions.map(({ id }) => id),
    [two.id],
  );
  assert.deepEqual(ended, []);
});

test('a door lives as many whole seconds as its session has left, never less than none', async () => {
  const sessions = gateway();
  const session = await start(sessions);
  clock.time += 1500;
  assert.equal((await sessions.openDoor(session, 'a.example')).maxAge, 12 * 3600 - 2);
  clock.time = session.expiresAt + HOUR;
  assert.equal((await sessions.openDoor(session, 'a.example')).maxAge, 0);
});

test('a session is alive to the last moment, and a revoked one not at all', async () => {
  let revoked = false;
  const sessions = new Sessions(
    store,
    LIMITS,
    () => clock.time,
    async () => undefined,
    () => revoked,
  );
  const session = await start(sessions);
  assert.equal(await sessions.alive(session.id), true);
  clock.time = session.expiresAt - 1;
  assert.equal(await sessions.alive(session.id), true);
  clock.time = session.expiresAt;
  assert.equal(await sessions.alive(session.id), false);
  const other = await start(sessions);
  revoked = true;
  assert.equal(await sessions.alive(other.id), false);
});

test('a session lasts no longer than the limit that is set now, also where that was longer when it began', async () => {
  const before = gateway();
  const session = await start(before);
  const { value } = await before.openDoor(session, 'wiki.example.com');
  const sessions = gateway({ idle: HOUR, absolute: 2 * HOUR });
  for (let used = 0; used < 4; used += 1) {
    assert.equal((await sessions.find(value, 'wiki.example.com'))?.expiresAt, session.createdAt + 2 * HOUR);
    clock.time += HOUR / 2;
  }
  assert.equal(await sessions.alive(session.id), false);
  assert.equal(await sessions.find(value, 'wiki.example.com'), undefined);
});

test('a session may be idle for exactly as long as it may', async () => {
  const sessions = gateway();
  const session = await start(sessions);
  clock.time += HOUR;
  assert.equal((await sessions.byId(session.id))?.id, session.id);
  await settle();
  clock.time += HOUR + 1;
  assert.equal(await sessions.byId(session.id), undefined);
  assert.deepEqual(ended, [[session.id, 'idle']]);
});

test('a use is noted once a minute, here and in the store, and not more often', async () => {
  const sessions = gateway();
  const session = await start(sessions);
  const begun = clock.time;
  const kept = async (): Promise<number | undefined> => {
    await settle();
    return (await store.get('session', session.id))?.lastSeenAt;
  };
  clock.time = begun + 60_000;
  assert.equal((await sessions.byId(session.id))?.lastSeenAt, begun);
  assert.equal(await kept(), begun);
  clock.time = begun + 60_001;
  assert.equal((await sessions.byId(session.id))?.lastSeenAt, clock.time);
  assert.equal(await kept(), begun + 60_001);
  clock.time += 30_000;
  assert.equal(
    (await sessions.byId(session.id))?.lastSeenAt,
    begun + 60_001,
    'what was noted is known here too',
  );
});

test('with little time to be idle, a use is noted after a quarter of it', async () => {
  const sessions = gateway({ idle: 40_000, absolute: HOUR });
  const session = await start(sessions);
  const begun = clock.time;
  clock.time = begun + 10_000;
  assert.equal((await sessions.byId(session.id))?.lastSeenAt, begun);
  clock.time = begun + 10_001;
  assert.equal((await sessions.byId(session.id))?.lastSeenAt, begun + 10_001);
});

test('a hand-off lives for thirty seconds to the last', async () => {
  const sessions = gateway();
  const session = await start(sessions);
  const cookie = newSecret();
  const destination = { host: 'a.example', path: '/', start: hashSecret(cookie) };
  const [soon, late] = [
    await sessions.handOff(session, destination),
    await sessions.handOff(session, destination),
  ];
  clock.time += 29_999;
  assert.equal((await sessions.receive(soon, 'a.example', [cookie]))?.session.id, session.id);
  clock.time += 1;
  assert.equal(await sessions.receive(late, 'a.example', [cookie]), undefined);
  const code = await sessions.handOff(session, destination);
  await sessions.end(session.id, 'revoked');
  assert.equal(await sessions.receive(code, 'a.example', [cookie]), undefined, 'of a session that has ended');
});
