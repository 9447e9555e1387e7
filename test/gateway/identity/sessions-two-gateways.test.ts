// The ends of sessions over two gateways that share one Redis: each has a connection, leases and a clock of its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Leases } from '#gateway/identity/leases';
import type { LiveSession } from '#gateway/identity/live-session';
import { Sessions } from '#gateway/identity/sessions';
import type { Login } from '#policy/input';
import { REDIS_NEEDS, redisServer, type Scope } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { at, open } from '../state/redis-bed.ts';

const MINUTE = 60_000;
const LIMITS = { idle: 10 * MINUTE, absolute: 60 * MINUTE };
const skip = requires(...REDIS_NEEDS);

interface Gateway {
  readonly sessions: Sessions;
  readonly ended: string[];
  /** What it heard of sessions that ended elsewhere. */
  readonly heard: string[];
}

interface Bed {
  readonly here: Gateway;
  readonly there: Gateway;
  /** Time passes for both, and leases with it. */
  pass(milliseconds: number): void;
  signIn(gateway: Gateway, more?: Partial<Login>): Promise<LiveSession>;
  /** Until the store says that a session was last seen then. */
  noted(id: string, lastSeenAt: number): Promise<void>;
  readonly now: () => number;
}

async function bed(t: Scope): Promise<Bed> {
  const { port } = await redisServer(t);
  const began = Date.now();
  let passed = 0;
  const now = (): number => began + passed;
  const gateway = async (): Promise<Gateway> => {
    const made = { ended: [] as string[], heard: [] as string[] };
    const store = await open(t, { server: at(port) }, { now });
    t.after(() => store.close());
    // The store speaks for the installation at every moment; how long that holds is tried elsewhere.
    const leases = new Leases({ confirmedAt: () => passed }, () => passed);
    const onEnd = async (_: LiveSession, why: string): Promise<void> => void made.ended.push(why);
    const sessions = new Sessions(store, LIMITS, now, onEnd, () => false, leases);
    await sessions.listen(
      (id) => made.heard.push(id),
      () => undefined,
    );
    return Object.assign(made, { sessions });
  };
  const [here, there] = [await gateway(), await gateway()];
  let people = 0;
  return {
    ...{ here, there, now },
    pass: (milliseconds) => {
      passed += milliseconds;
    },
    signIn: ({ sessions }, more) => {
      people += 1;
      const subject = { kind: 'user', id: `https://id#${people}`, groups: [], roles: [] } as const;
      return sessions.start(subject, { provider: 'corp', at: now(), ...more }, '192.0.2.1');
    },
    noted: async (id, lastSeenAt) => {
      await until('the last request is noted', async () => {
        const kept = (await here.sessions.list()).find((one) => one.id === id);
        return kept?.lastSeenAt === lastSeenAt;
      });
    },
  };
}

test('a session that is used at one gateway is not idle at the other, and then is over at both, once', {
  skip,
}, async (t) => {
  const { here, there, pass, signIn, noted, now } = await bed(t);
  const { id } = await signIn(here);
  for (let round = 0; round < 4; round += 1) {
    pass(4 * MINUTE);
    assert.equal((await there.sessions.byId(id))?.id, id);
    await noted(id, now());
  }
  assert.equal((await here.sessions.byId(id))?.id, id, 'it was not seen here for 16 minutes');
  pass(LIMITS.idle + 1);
  const both = await Promise.all([here, there].map(({ sessions }) => sessions.byId(id)));
  assert.deepEqual(both, [undefined, undefined]);
  assert.deepEqual([...here.ended, ...there.ended], ['idle']);
  await until('both have heard', () => here.heard.includes(id) && there.heard.includes(id));
});

test('the absolute end comes at both gateways, however much either is used', { skip }, async (t) => {
  const { here, there, pass, signIn, noted, now } = await bed(t);
  const { id, expiresAt, createdAt } = await signIn(here);
  assert.equal(expiresAt - createdAt, LIMITS.absolute);
  for (let minutes = 5; minutes < 60; minutes += 5) {
    pass(5 * MINUTE);
    const used = minutes % 2 === 0 ? here : there;
    assert.equal((await used.sessions.byId(id))?.expiresAt, expiresAt);
    await noted(id, now());
    assert.equal(await here.sessions.alive(id), true);
  }
  // Both have leases that would last beyond it.
  pass(5 * MINUTE - 10_000);
  for (const { sessions } of [here, there]) assert.equal((await sessions.byId(id))?.id, id);
  pass(10_000);
  // What is open is asked after without being a use.
  for (const { sessions } of [here, there]) assert.equal(await sessions.alive(id), false);
  for (const { sessions } of [here, there]) assert.equal(await sessions.byId(id), undefined);
});

test('a second factor proved at one gateway is as old at the other, and the session before it is over there', {
  skip,
}, async (t) => {
  const { here, there, pass, signIn, now } = await bed(t);
  const before = await signIn(here, { mfaAt: now() });
  const old = await there.sessions.openDoor(before, 'wiki.example.com');
  assert.equal((await there.sessions.find(old.value, 'wiki.example.com'))?.login.mfaAt, now());
  pass(5 * MINUTE);
  const after = await signIn(here, { mfaAt: now() });
  const door = await here.sessions.openDoor(after, 'wiki.example.com');
  await here.sessions.end(before.id, 'superseded');
  await until('the other has heard', () => there.heard.includes(before.id));
  assert.equal(await there.sessions.find(old.value, 'wiki.example.com'), undefined);
  const proved = now();
  pass(3 * MINUTE);
  for (const { sessions } of [here, there])
    assert.equal((await sessions.find(door.value, 'wiki.example.com'))?.login.mfaAt, proved);
});
