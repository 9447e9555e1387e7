// A gateway without a tunnel for an app relays to one that has it: everything passes as if the tunnel were its own.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { request } from 'undici';
import WebSocket from 'ws';
import { FRAME, frame } from '#connectors/wire/frame';
import { encodeHello } from '#connectors/wire/hello';
import { VERSIONS } from '#connectors/wire/limits';
import { openAuthority } from '#gateway/pki/authority';
import { REDIS_NEEDS, redisServer } from '#test/contract/redis';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { onServer } from './state/documents.ts';
import { Fleet } from './state/fleet.ts';

test('a request that arrives at a gateway without a tunnel is relayed to one that has it', {
  skip: requires(...REDIS_NEEDS),
  timeout: 90_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, { gateways: 2, state: () => onServer(port), connectors: [0] });
  const [one, other] = fleet.gateways;
  assert.ok(one !== undefined && other !== undefined);
  const ada = await fleet.signIn('ada');
  const origin = `https://wiki.localhost:${fleet.people}`;
  await until('it is linked', async () => (await other.app(ada.cookie)).status === 200);
  assert.equal(await other.metric('sallyport_connectors'), 0, 'it has no connector of its own');
  const headers = { cookie: ada.cookie };
  const { dispatcher } = other;

  const body = randomBytes(3_000_000);
  const mirrored = await request(`${origin}/mirror`, { dispatcher, method: 'POST', headers, body });
  assert.equal(mirrored.statusCode, 200);
  assert.deepEqual(Buffer.from(await mirrored.body.arrayBuffer()), body);
  const many = await Promise.all(Array.from({ length: 200 }, () => other.app(ada.cookie)));
  assert.ok(many.every(({ status }) => status === 200));

  const ws = new WebSocket(`wss://wiki.localhost:${fleet.people}/socket`, {
    ...{ headers, origin, ca: fleet.ca, lookup: other.lookup as never },
  });
  await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
  const heard = new Promise((resolve) => ws.once('message', (data) => resolve(String(data))));
  ws.send('through two gateways');
  assert.equal(await heard, 'through two gateways');

  const stream = await other.stream(ada.cookie);
  const ended = new Promise((resolve) => ws.once('close', resolve));
  assert.equal(await one.revoke('session', ada.id), 200);
  await Promise.all([stream.ended, ended]);

  const ben = await fleet.signIn('ben');
  await one.part.kill();
  await until('nobody has a tunnel', async () => (await other.app(ben.cookie)).status === 502);
  await one.start();
  await until('it is linked again', async () => (await other.app(ben.cookie)).status === 200);
  assert.equal((await one.app(ben.cookie)).status, 200);
});

test('an app that one connector does not reach is served by that of another gateway', {
  skip: requires(...REDIS_NEEDS),
  timeout: 120_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, {
    ...{ gateways: 2, state: () => onServer(port) },
    // Nothing listens beside the first one's connector.
    prepare: (directory, index) => {
      const file = join(directory, 'connector.yaml');
      const text = readFileSync(file, 'utf8');
      if (index === 0) writeFileSync(file, text.replace(/(wiki: .*127\.0\.0\.1):\d+/, '$1:9'));
    },
  });
  const [one] = fleet.gateways;
  assert.ok(one !== undefined);
  // Whoever signs in is sent on to the app.
  await until('it is linked', () => fleet.log('gateway-1').includes('linked to another gateway'));
  const ada = await fleet.signIn('ada');
  const { dispatcher } = one;
  const post = async (): Promise<number> => {
    const origin = `https://wiki.localhost:${fleet.people}`;
    const headers = { cookie: ada.cookie };
    const reply = await request(`${origin}/mirror`, { dispatcher, method: 'POST', headers, body: 'x' });
    await reply.body.dump();
    return reply.statusCode;
  };
  // The first one may be what finds it out.
  await post();
  const statuses = [];
  for (let i = 0; i < 10; i += 1) statuses.push(await post(), (await one.app(ada.cookie)).status);
  assert.deepEqual([...new Set(statuses)], [200]);
});

test('nobody but a gateway of the installation can be a link', {
  skip: requires(...REDIS_NEEDS),
  timeout: 120_000,
}, async (t) => {
  const { port } = await redisServer(t);
  const fleet = await Fleet.start(t, { state: () => onServer(port) });
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  const own = await openAuthority(
    `${gateway.directory}/state/connector-ca`,
    'Sallyport connectors',
    Date.now,
  );
  const foreign = await openAuthority(`${fleet.directory}/foreign-ca`, 'Sallyport connectors', Date.now);
  const dial = async (identity: object): Promise<number> => {
    const ws = new WebSocket(`wss://${gateway.address}:${gateway.connectors}/v1/relay`, 'sallyport.v1', {
      ...{ ca: own.certificate, ...identity },
    });
    return new Promise((resolve) => {
      ws.once('open', () => resolve(101)).once('error', () => resolve(0));
      ws.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    }).finally(() => ws.terminate()) as Promise<number>;
  };
  const uri = 'spiffe://sallyport.internal/gateway/other';
  const peer = await own.issuePeer(uri, 60_000);
  const stranger = await foreign.issuePeer(uri, 60_000);
  const connector = await own.issuePeer('spiffe://sallyport.internal/connector/rack-1', 60_000);
  assert.equal(await dial({}), 403);
  assert.equal(await dial({ cert: connector.certificate, key: connector.key }), 403);
  assert.notEqual(await dial({ cert: stranger.certificate, key: stranger.key }), 101);
  assert.equal(await dial({ cert: peer.certificate, key: peer.key }), 101);

  const brief = await own.issuePeer(uri, 6_000);
  const ws = new WebSocket(`wss://${gateway.address}:${gateway.connectors}/v1/relay`, 'sallyport.v1', {
    ...{ ca: own.certificate, cert: brief.certificate, key: brief.key },
  });
  await once(ws, 'open');
  const hello = {
    versions: VERSIONS,
    window: 65_536,
    streams: 8,
    apps: ['wiki'],
    instance: 'i',
    software: 's',
  };
  ws.send(frame(FRAME.HELLO, 0, encodeHello(hello)));
  let said = '';
  ws.on('message', (bytes: Buffer) => {
    said += bytes.toString('latin1');
  });
  await once(ws, 'close');
  assert.match(said, /certificate-expired/, 'a link ends with its certificate');
});
