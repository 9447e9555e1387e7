// Two gateways on a Redis with Sentinels that speak only TLS: what they do when its replicas hang, when a Sentinel and the
// primary are killed, and when no primary is left.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { REDIS_NEEDS, sentinels } from '#test/contract/redis';
import { secureRedis } from '#test/contract/redis-secure';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { onSentinels } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

/** Milliseconds in which a gateway has heard of what was revoked at the other: far less than a lease. */
const TOLD = 15_000;

test('a primary is killed: nobody is let in by mistake, nothing revoked comes back, and it goes on', {
  skip: requires(...REDIS_NEEDS),
  timeout: 150_000,
}, async (t) => {
  const secure = await secureRedis(t, 'localhost');
  const watched = await sentinels(t, { secure });
  const { ca, client, host, passwords } = secure;
  const state = onSentinels(
    watched.name,
    watched.sentinels.map(({ port }) => port),
    {
      host,
      ofSentinels: ', username: gateway, password: { file: ./sentinel-password }',
      more: `, username: gateway, password: { file: ./redis-password }, tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }`,
    },
  );
  const fleet = await Fleet.start(t, {
    gateways: 2,
    state: () => state,
    prepare: (directory) => {
      const secret = (name: string, text: string): void =>
        writeFileSync(join(directory, name), text, { mode: 0o600 });
      secret('redis-password', passwords.servers);
      secret('sentinel-password', passwords.sentinels);
    },
  });
  const [one, other] = fleet.gateways;
  assert.ok(one !== undefined && other !== undefined);
  const both = async (cookie: string): Promise<number[]> => [
    (await one.app(cookie)).status,
    (await other.app(cookie)).status,
  ];
  const [held, first, second, late, kept] = [
    await fleet.signIn(),
    await fleet.signIn(),
    await fleet.signIn(),
    await fleet.signIn(),
    await fleet.signIn('ben'),
  ];
  for (const { cookie } of [held, first, second, late, kept])
    assert.deepEqual(await both(cookie), [200, 200]);
  const stream = await other.stream(late.cookie);

  const [primary, ...replicas] = watched.servers;
  for (const { part } of replicas) part.signal('SIGSTOP');
  assert.equal(await one.revoke('session', held.id), 503, 'no replica has it, so it is not acknowledged');
  for (const { part } of replicas) part.signal('SIGCONT');

  await until('a revocation is acknowledged', async () => (await one.revoke('session', first.id)) === 200);
  // Nobody makes another primary until there are two of them again.
  for (const { part } of watched.sentinels) await part.kill();
  await primary?.part.kill();
  assert.notEqual(await one.revoke('session', second.id), 200);
  assert.equal((await one.signIn()).status, 503);
  assert.deepEqual(await both(kept.cookie), [200, 200], 'who is signed in works on');
  watched.revive(...watched.sentinels.slice(1).map(({ port }) => port));

  await until('people sign in again', async () => (await one.signIn()).status === 302);
  await until('and at the other', async () => (await other.signIn()).status === 302);
  assert.deepEqual(await both(first.cookie), [401, 401], 'what was acknowledged is not lost');
  for (const { id, cookie } of [held, second]) {
    // Not acknowledged: it may have been done all the same.
    assert.ok([200, 404].includes(await other.revoke('session', id)));
    const deadline = performance.now() + TOLD;
    while ((await one.app(cookie)).status === 200 && performance.now() < deadline) await sleep(50);
    assert.deepEqual(await both(cookie), [401, 401]);
  }
  assert.equal(await one.revoke('session', late.id), 200);
  const closed = await Promise.race([stream.ended, sleep(TOLD, 'open', { ref: false })]);
  assert.notEqual(closed, 'open', 'gateways hear of each other again');
  assert.deepEqual(await both(kept.cookie), [200, 200]);
  const { cookie } = await fleet.signIn('cleo');
  assert.deepEqual(await both(cookie), [200, 200]);

  for (const { part } of watched.servers) await part.kill();
  assert.equal((await other.signIn()).status, 503);
  let status = 200;
  // Until the lease ends: 25 s.
  while (status === 200) {
    ({ status } = await other.app(kept.cookie));
    await sleep(200);
  }
  assert.equal(status, 503);
});
