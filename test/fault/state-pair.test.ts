// Two gateways on one Redis: a person who signs in at one is known at the other, and loses access at both at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

test('what is revoked through one gateway is closed at the other', {
  skip: requires(...REDIS_NEEDS),
  timeout: 120_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, { gateways: 2, state: () => onServer(port) });
  const [one, other] = fleet.gateways;
  assert.ok(one !== undefined && other !== undefined);
  const [ada, again, ben] = [await fleet.signIn('ada'), await fleet.signIn('ada'), await fleet.signIn('ben')];
  for (const gateway of fleet.gateways) {
    for (const { cookie } of [ada, again, ben]) assert.equal((await gateway.app(cookie)).status, 200);
  }
  const streams = await Promise.all([one.stream(ada.cookie), other.stream(again.cookie)]);
  const kept = await other.stream(ben.cookie);

  const listed = await other.command('sessions', '--json', '--person', 'ada@example.com');
  assert.equal(listed.output.trim().split('\n').length, 2, listed.output);

  const revoked = await other.command('revoke', 'session', ada.id, '--reason', 'test');
  assert.equal(revoked.code, 0, revoked.output);
  const acknowledged = performance.now();
  const first = await streams[0]?.ended;
  assert.ok((first ?? 0) - acknowledged < 2_000);
  assert.equal((await one.app(ada.cookie)).status, 401);
  assert.equal((await other.app(ada.cookie)).status, 401);
  assert.equal((await one.app(again.cookie)).status, 200);

  const all = await one.command('revoke', 'person', 'ada@example.com', '--json');
  assert.equal(JSON.parse(all.output).sessions, 1);
  await streams[1]?.ended;
  for (const gateway of fleet.gateways) assert.equal((await gateway.app(again.cookie)).status, 401);
  assert.equal((await other.app(ben.cookie)).status, 200);
  assert.equal((await one.command('revoke', 'session', ada.id)).code, 1);
  assert.equal((await one.command('revoke', 'person', 'nobody@example.com')).code, 1);

  const device = await one.command('revoke', 'device', 'a'.repeat(32));
  assert.equal(device.code, 0, device.output);
  const connector = await one.command('revoke', 'connector', 'rack-1');
  assert.equal(connector.code, 0, connector.output);
  await kept.ended;
  assert.equal((await other.app(ben.cookie)).status, 502);

  const actions = [...one.events(), ...other.events()].map(({ event }) => event.action);
  assert.equal(actions.filter((action) => action === 'session-revoked').length, 2);
  assert.equal(actions.filter((action) => action === 'access-revoked').length, 3);
});
