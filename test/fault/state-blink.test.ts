// A state that is away for a moment: what is open for those who may stays open, and what was revoked elsewhere meanwhile,
// so that nobody was told, is closed as soon as the state is back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import type { Recorded } from '#test/story/record';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';
import { proxy } from './state/proxy.ts';

test('a gateway that was cut off from Redis for a moment closes what was revoked, and nothing else', {
  skip: requires(...REDIS_NEEDS),
  timeout: 180_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const between = await proxy(t, port);
  const fleet = await Fleet.start(t, {
    gateways: 2,
    state: (index) => onServer(index === 0 ? port : between.port),
  });
  const [one, other] = fleet.gateways;
  assert.ok(one !== undefined && other !== undefined);
  for (const kind of ['session', 'person'] as const) {
    const [stays, leaves] = [await fleet.signIn('cleo'), await fleet.signIn('ada')];
    // Their leases begin here.
    const staying = await other.stream(stays.cookie);
    const leaving = await other.stream(leaves.cookie);
    let closed = false;
    void staying.ended.then(() => {
      closed = true;
    });
    between.cut();
    await until('it notices', async () => (await other.signIn()).status === 503);
    const id: string = kind === 'session' ? leaves.id : personOf(one.events(), leaves.id);
    assert.equal(await one.revoke(kind, id), 200);
    between.mend();
    await leaving.ended;
    await until('sign-in works', async () => (await other.signIn()).status === 302);
    assert.equal((await other.app(leaves.cookie)).status, 401);
    await sleep(1_500);
    assert.equal(closed, false, `${kind}: who may stay stays`);
    staying.close();
  }
  const ends = other.events().filter(({ event }) => event.action === 'stream-closed');
  const reasons = ends.map(({ event }) => event.code).filter((code) => code !== 'client-aborted');
  assert.equal(reasons.length, 2);
  assert.ok(
    reasons.every((code) => code === 'session-ended' || code === 'revoked'),
    `${reasons}`,
  );
});

function personOf(events: readonly Recorded[], session: string): string {
  const login = events.find(
    (one) => (one.sallyport as { session?: { id?: string } } | undefined)?.session?.id === session,
  );
  return String(login?.user?.id);
}
