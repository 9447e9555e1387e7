// Sessions as several gateways share them, and the bond of a door to a device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret, newSecret } from '#gateway/identity/cookies';
import type { LiveSession } from '#gateway/identity/live-session';
import { StateError } from '#gateway/state/error';
import type { Store } from '#gateway/state/store';
import { clock, gateway, HOUR, settle, start, store } from './session-bed.ts';

test('many who ask for a session at once ask the store once', async () => {
  const other = await start(gateway());
  const sessions = gateway();
  let asked = 0;
  const { get } = store;
  store.get = async (kind, key) => {
    if (kind === 'session') asked += 1;
    return get.call(store, kind, key) as never;
  };
  const found = await Promise.all(Array.from({ length: 20 }, () => sessions.byId(other.id)));
  store.get = get;
  assert.ok(found.every((session) => session?.id === other.id));
  assert.equal(asked, 1);
});

test('what another gateway ends is ended here at once, and told', async () => {
  const [here, there] = [gateway(), gateway()];
  const session = await start(here);
  const { value } = await here.openDoor(session, 'a.example');
  const told: string[] = [];
  let missed = 0;
  await here.listen(
    (id) => told.push(id),
    () => {
      missed += 1;
    },
  );
  assert.equal((await here.find(value, 'a.example'))?.id, session.id);
  await there.end(session.id, 'revoked');
  await settle();
  assert.deepEqual(told, [session.id]);
  assert.equal(await here.find(value, 'a.example'), undefined);
  assert.equal(missed, 0);
});

test('what was removed without an acknowledgement is over everywhere once somebody tries again', async () => {
  const [here, there] = [gateway(), gateway()];
  const told: string[] = [];
  await there.listen(
    (id) => told.push(id),
    () => undefined,
  );
  const session = await start(here);
  await there.byId(session.id);
  const { take } = store;
  store.take = async (kind, key) => {
    await take.call(store, kind, key);
    throw new StateError('state-unacknowledged', 'no replica has it');
  };
  await assert.rejects(here.end(session.id, 'revoked'), { code: 'state-unacknowledged' });
  store.take = take;
  await settle();
  assert.equal((await there.byId(session.id))?.id, session.id, 'nobody was told, and its lease goes on');
  assert.equal(await here.end(session.id, 'revoked'), false);
  await settle();
  assert.deepEqual(told, [session.id]);
  assert.equal(await there.byId(session.id), undefined);
});

test('what may have been missed is asked for anew', async () => {
  const sessions = gateway();
  const lost: (() => void)[] = [];
  const listened: Store = store;
  const { subscribe } = listened;
  listened.subscribe = async (channel, listener, missed) => {
    lost.push(missed);
    return subscribe.call(listened, channel, listener, missed);
  };
  let missed = 0;
  await sessions.listen(
    () => {},
    () => {
      missed += 1;
    },
  );
  listened.subscribe = subscribe;
  assert.ok(lost.length >= 2, 'sessions and doors are listened for');
  const session = await start(sessions);
  await sessions.byId(session.id);
  await store.take('session', session.id);
  lost[0]?.();
  assert.equal(missed, 1);
  assert.equal(await sessions.byId(session.id), undefined);
});

test('what is forgotten here is asked for anew: all of it, or what somebody names', async () => {
  const sessions = gateway();
  const [one, two] = [await start(sessions), await start(sessions)];
  for (const { id } of [one, two]) {
    await sessions.byId(id);
    await store.take('session', id);
  }
  sessions.forget(({ id }) => id === one.id);
  assert.equal(await sessions.byId(one.id), undefined);
  assert.equal((await sessions.byId(two.id))?.id, two.id);
  sessions.forget('all');
  assert.equal(await sessions.byId(two.id), undefined);
});

test('a door’s bond to a device goes with the session through that door, and through a hand-off, and nowhere else', async () => {
  const sessions = gateway();
  const session = await start(sessions);
  const bond = { device: 'laptop', key: 'thumbprint', until: clock.time + HOUR };
  const [tied, free] = [
    await sessions.openDoor({ ...session, bond }, 'a.example'),
    await sessions.openDoor(session, 'b.example'),
  ];
  assert.deepEqual((await sessions.find(tied.value, 'a.example'))?.bond, bond);
  assert.equal((await sessions.find(free.value, 'b.example'))?.bond, undefined);
  assert.ok(!('bond' in ((await sessions.find(free.value, 'b.example')) ?? {})));
  const cookie = newSecret();
  const destination = { host: 'c.example', path: '/', start: hashSecret(cookie) };
  const received = async (from: LiveSession): Promise<LiveSession | undefined> =>
    (await sessions.receive(await sessions.handOff(from, destination), 'c.example', [cookie]))?.session;
  assert.deepEqual((await received({ ...session, bond }))?.bond, bond);
  assert.ok(!('bond' in ((await received(session)) ?? {})));
  await sessions.end(session.id, 'revoked');
  assert.equal(await sessions.find(tied.value, 'a.example'), undefined);
});
