// A person who signs out at the identity provider is signed out here too, on every gateway, with what was open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

test('the identity provider ends a session by back channel', {
  skip: requires(...REDIS_NEEDS),
  timeout: 120_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, { gateways: 2, state: () => onServer(port) });
  const [one, other] = fleet.gateways;
  assert.ok(one !== undefined && other !== undefined);
  const visitor = fleet.visitor();
  await visitor.signIn(`https://wiki.localhost:${fleet.people}/`, 'ada', 'password');
  const cookie = visitor.cookieHeader('wiki.localhost');
  const ben = await fleet.signIn('ben');
  assert.equal((await other.app(cookie)).status, 200);
  const stream = await other.stream(cookie);

  const page = await visitor.visit(`${fleet.issuer}/session/end`);
  const action = /action="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const secret = /name="xsrf" value="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const done = await visitor.ask(new URL(action, fleet.issuer).href, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ xsrf: secret, logout: 'yes' }).toString(),
  });
  assert.ok(done.status < 400, done.body);
  await stream.ended;
  await until('signed out everywhere', async () =>
    (await Promise.all(fleet.gateways.map((gateway) => gateway.app(cookie)))).every(
      ({ status }) => status === 401,
    ),
  );
  for (const gateway of fleet.gateways)
    assert.equal((await gateway.app(ben.cookie)).status, 200, 'nobody else');
  const told = one.events().find(({ event }) => event.action === 'session-revoked');
  assert.match(told?.message ?? '', /Example Corp revoked the session of ada/);

  const forged = await visitor.ask(`https://access.localhost:${fleet.people}/backchannel-logout/corp`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'logout_token=eyJhbGciOiJub25lIn0.e30.',
  });
  assert.equal(forged.status, 400);
});
