// Leases: what a gateway relies on without asking the store, and when it must stop.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { LEASE, Leases } from '#gateway/identity/leases';
import type { LiveSession } from '#gateway/identity/live-session';
import { Sessions } from '#gateway/identity/sessions';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { Store } from '#gateway/state/store';

const HOST = 'wiki.example.com';
const subject = (sub: string): LiveSession['subject'] => ({
  kind: 'user',
  id: `https://id.example.com#${sub}`,
  groups: [],
  roles: [],
});

/** A store with a switch: off, it answers nothing; and a count of what it was asked. */
function bed(t: TestContext, limits = { idle: 3_600_000, absolute: 36_000_000 }) {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-leases-'));
  let time = 1_000_000_000;
  let monotonic = 1_000;
  let confirmed = 1_000;
  const real = openEmbeddedStore(directory, () => time);
  t.after(async () => {
    await real.close();
    rmSync(directory, { recursive: true });
  });
  const state = { up: true, reads: 0, ended: [] as string[] };
  const store = new Proxy(real, {
    get: (target, name: keyof Store) => {
      if (name === 'confirmedAt') return () => confirmed;
      const method = target[name] as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => {
        if (name === 'get') state.reads += 1;
        return state.up ? method.apply(target, args) : Promise.reject(new Error('no answer'));
      };
    },
  }) as Store;
  const gateway = (perPerson?: number): Sessions =>
    new Sessions(
      store,
      { ...limits, perPerson },
      () => time,
      async ({ id }, why) => void state.ended.push(`${id} ${why}`),
      () => false,
      new Leases(store, () => monotonic),
    );
  return {
    state,
    gateway,
    /** Lets time pass; `heard`: the store still speaks for the installation. */
    pass(milliseconds: number, heard = true): void {
      time += milliseconds;
      monotonic += milliseconds;
      if (heard) confirmed = monotonic;
    },
  };
}

async function signedIn(sessions: Sessions, sub = '1'): Promise<{ id: string; cookie: string }> {
  const session = await sessions.start(subject(sub), { provider: 'corp', at: 0 }, '192.0.2.1', `sid-${sub}`);
  return { id: session.id, cookie: (await sessions.openDoor(session, HOST)).value };
}

test('a session in use asks the store once in a lease', async (t) => {
  const { state, gateway, pass } = bed(t);
  const sessions = gateway();
  const { cookie } = await signedIn(sessions);
  await sessions.find(cookie, HOST);
  const before = state.reads;
  for (let i = 0; i < 100; i += 1) assert.ok(await sessions.find(cookie, HOST));
  assert.equal(state.reads, before);
  pass(LEASE);
  assert.ok(await sessions.find(cookie, HOST));
  assert.ok(state.reads > before);
});

test('without an answer from the store it lives to the end of its lease, and no longer', async (t) => {
  const { state, gateway, pass } = bed(t);
  const sessions = gateway();
  const { id, cookie } = await signedIn(sessions);
  assert.ok(await sessions.find(cookie, HOST));
  state.up = false;
  pass(LEASE - 1, false);
  assert.ok(await sessions.find(cookie, HOST));
  assert.ok(await sessions.alive(id));
  pass(1, false);
  await assert.rejects(sessions.find(cookie, HOST));
  await assert.rejects(sessions.alive(id));
});

test('a store that was cut off from the installation is not believed, however well it answers', async (t) => {
  const { gateway, pass } = bed(t);
  const sessions = gateway();
  const { cookie } = await signedIn(sessions);
  pass(LEASE - 1, false);
  assert.ok(await sessions.find(cookie, HOST), 'leased for one more millisecond');
  pass(1, false);
  await assert.rejects(sessions.find(cookie, HOST), { code: 'state-unreachable' });
  pass(0, true);
  assert.ok(await sessions.find(cookie, HOST));
});

test('what ends at one gateway is told to the others, and is not leased again by a look that began before', async (t) => {
  const { gateway } = bed(t);
  const [one, other] = [gateway(), gateway()];
  const closed: string[] = [];
  await other.listen(
    (id) => closed.push(id),
    () => assert.fail('nothing was missed'),
  );
  const { id, cookie } = await signedIn(one);
  assert.ok(await other.find(cookie, HOST));
  const looking = other.byId(id);
  await one.end(id, 'revoked');
  await looking;
  await new Promise(setImmediate);
  assert.deepEqual(closed, [id]);
  assert.equal(await other.find(cookie, HOST), undefined);
  assert.equal(await other.alive(id), false);
});

test('what is used at one gateway is not idle at another', async (t) => {
  const { gateway, pass } = bed(t, { idle: 60_000, absolute: 3_600_000 });
  const [one, other] = [gateway(), gateway()];
  const { cookie } = await signedIn(one);
  assert.ok(await other.find(cookie, HOST));
  for (let i = 0; i < 5; i += 1) {
    pass(20_000);
    assert.ok(await one.find(cookie, HOST));
  }
  assert.ok(await other.find(cookie, HOST), 'it asked before it called it idle');
  pass(60_001);
  assert.equal(await other.find(cookie, HOST), undefined);
});

test('one session more than a person may have ends the oldest', async (t) => {
  const { state, gateway } = bed(t);
  const sessions = gateway(2);
  const [first, second, third] = [
    await signedIn(sessions),
    await signedIn(sessions),
    await signedIn(sessions),
  ];
  await signedIn(sessions, 'somebody else');
  assert.equal(await sessions.find(first.cookie, HOST), undefined);
  assert.ok(await sessions.find(second.cookie, HOST));
  assert.ok(await sessions.find(third.cookie, HOST));
  assert.deepEqual(state.ended, [`${first.id} superseded`]);
  assert.deepEqual(
    (await sessions.ofPerson(subject('1').id)).map(({ id }) => id),
    [second.id, third.id],
  );
  await sessions.end(second.id, 'logout');
  await signedIn(sessions);
  assert.ok(await sessions.find(third.cookie, HOST), 'what ended makes room');
});

describe('what is leased', () => {
  /** Leases by themselves, on a clock that the test moves. */
  function leases() {
    const clock = { time: 1_000, confirmed: 1_000 };
    const kept = new Leases({ confirmedAt: () => clock.confirmed }, () => clock.time);
    return { clock, kept };
  }
  const session = (id: string, lastSeenAt = 0): LiveSession => ({
    ...{ id, subject: subject(id), login: { provider: 'corp', at: 0 }, clientAddress: '192.0.2.1' },
    ...{ createdAt: 0, lastSeenAt, expiresAt: 1e12 },
  });
  const door = { session: 'one', host: HOST };

  test('lives for 25 seconds, which with the longest wait for an answer makes thirty', () => {
    const { clock, kept } = leases();
    kept.keepSession(session('one'), kept.asking());
    kept.keepDoor('door', door, kept.asking());
    clock.time += 24_999;
    assert.ok(kept.session('one') && kept.door('door'));
    assert.equal(kept.trusted, true);
    clock.time += 1;
    assert.deepEqual([kept.session('one'), kept.door('door'), kept.trusted], [undefined, undefined, false]);
  });

  test('counts from when it was asked for, or from when the store was last heard, whichever is longer ago', () => {
    const { clock, kept } = leases();
    const asked = kept.asking();
    clock.time += 5_000;
    clock.confirmed = clock.time;
    kept.keepSession(session('asked'), asked);
    clock.confirmed -= 4_000;
    kept.keepSession(session('heard'), kept.asking());
    clock.time = 1_000 + LEASE;
    assert.equal(kept.session('asked'), undefined);
    assert.ok(kept.session('heard'));
    clock.time += 1_000;
    assert.equal(kept.session('heard'), undefined);
  });

  test('is not kept when anything at all ended while it was looked for', () => {
    for (const end of ['session', 'door', 'all', 'some'] as const) {
      const { kept } = leases();
      const asked = kept.asking();
      if (end === 'session') kept.endSession('another');
      if (end === 'door') kept.endDoor('another');
      if (end === 'all') kept.endAll();
      if (end === 'some') kept.end(() => false);
      kept.keepSession(session('one'), asked);
      kept.keepDoor('door', door, asked);
      assert.deepEqual([kept.session('one'), kept.door('door')], [undefined, undefined], end);
      kept.keepSession(session('one'), kept.asking());
      assert.ok(kept.session('one'));
    }
  });

  test('ends one by one, by what is said of it, or all together; doors by themselves', () => {
    const { kept } = leases();
    for (const id of ['one', 'two', 'three']) {
      kept.keepSession(session(id), kept.asking());
      kept.keepDoor(id, { ...door, session: id }, kept.asking());
    }
    kept.endSession('one');
    assert.equal(kept.session('one'), undefined);
    assert.ok(kept.door('one') && kept.session('two'));
    assert.equal(
      kept.end(({ id }) => id === 'two'),
      1,
    );
    assert.equal(kept.session('two'), undefined);
    assert.ok(kept.session('three'));
    assert.equal(
      kept.end(() => true),
      1,
    );
    kept.endDoor('one');
    assert.equal(kept.door('one'), undefined);
    assert.ok(kept.door('two'));
    kept.keepSession(session('four'), kept.asking());
    kept.endAll();
    assert.deepEqual([kept.session('four'), kept.door('two')], [undefined, undefined]);
  });

  test('has other facts for the rest of its time, and no more time for them', () => {
    const { clock, kept } = leases();
    kept.amend(session('nobody'));
    assert.equal(kept.session('nobody'), undefined);
    kept.keepSession(session('one'), kept.asking());
    clock.time += 20_000;
    kept.amend(session('one', 7));
    assert.equal(kept.session('one')?.lastSeenAt, 7);
    clock.time += 5_000;
    assert.equal(kept.session('one'), undefined);
  });

  test('is swept when it has run out, and not before: a clock that goes back brings nothing else back', () => {
    const { clock, kept } = leases();
    kept.keepSession(session('old'), kept.asking());
    kept.keepDoor('old', door, kept.asking());
    clock.time += 10_000;
    clock.confirmed = clock.time;
    kept.keepSession(session('young'), kept.asking());
    clock.time = 1_000 + LEASE;
    kept.sweep();
    clock.time -= 1;
    assert.deepEqual([kept.session('old'), kept.door('old')], [undefined, undefined]);
    assert.ok(kept.session('young'));
  });

  test('is two hundred thousand of a kind at most; what was not renewed for longest goes first', () => {
    const { kept } = leases();
    for (let i = 0; i < 200_000; i += 1) kept.keepDoor(String(i), door, kept.asking());
    assert.ok(kept.door('0'));
    kept.keepDoor('0', door, kept.asking());
    assert.ok(kept.door('1') && kept.door('0'));
    kept.keepDoor('one more', door, kept.asking());
    assert.equal(kept.door('1'), undefined);
    assert.ok(kept.door('0') && kept.door('2') && kept.door('one more'));
  });
});
