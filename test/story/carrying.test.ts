// What an app and its client exchange arrives whole and in time through gateway and connector: large bodies both ways,
// every kind of answer, WebSockets, event streams, trailers, and the news that a client has gone.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Agent, type Dispatcher, request } from 'undici';
import WebSocket from 'ws';
import type { Visitor } from '#bin/demo/visitor';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';

type Answer = Dispatcher.ResponseData;
type Ask = (app: string, path: string, options?: Partial<Dispatcher.RequestOptions>) => Promise<Answer>;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Requests in Ada's name, whose bodies are not read for the caller. */
function askAs(installation: StoryInstallation, ada: Visitor): Ask {
  const dispatcher = new Agent({ connect: { ca: installation.ca, lookup: localhostAwareLookup } });
  installation.atEnd(() => dispatcher.destroy());
  return (app, path, { headers, ...options } = {}) =>
    request(`${installation.originOf(app)}${path}`, {
      dispatcher,
      ...(options as object),
      headers: { cookie: ada.cookieHeader(`${app}.localhost`), ...(headers as Record<string, string>) },
    });
}

test('what is exchanged arrives whole', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { nginx, receiver } = installation;
  const ada = installation.visitor();
  await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
  await ada.signIn(`${installation.originOf('drop')}/`, 'ada', 'password');
  const ask = askAs(installation, ada);

  await t.test('a download of 10 MiB is the file, byte for byte', async () => {
    const { statusCode, headers, body } = await ask('wiki', '/large.bin');
    assert.equal(statusCode, 200);
    assert.equal(headers['content-length'], String(nginx.large.length));
    assert.equal(sha256(await body.bytes()), sha256(nginx.large));
  });

  for (const framing of ['of known length', 'in chunks'] as const) {
    await t.test(`an upload of 10 MiB ${framing} is received byte for byte`, async () => {
      const sent = randomBytes(10 * 1024 * 1024);
      const pieces = (function* () {
        for (let at = 0; at < sent.length; at += 100_000) yield sent.subarray(at, at + 100_000);
      })();
      const body = framing === 'in chunks' ? pieces : sent;
      const { statusCode, body: answer } = await ask('drop', '/upload', {
        method: 'PUT',
        body: body as Buffer,
      });
      assert.equal(statusCode, 200);
      const { bytes, sha256: received } = (await answer.json()) as { bytes: number; sha256: string };
      assert.deepEqual({ bytes, received }, { bytes: sent.length, received: sha256(sent) });
    });
  }

  await t.test('10 MiB come back while they are still being sent', async () => {
    const sent = randomBytes(10 * 1024 * 1024);
    const { statusCode, body } = await ask('drop', '/echo', { method: 'POST', body: sent });
    assert.equal(statusCode, 200);
    assert.equal(sha256(await body.bytes()), sha256(sent));
  });

  await t.test('HEAD has the length and no body', async () => {
    const { statusCode, headers, body } = await ask('wiki', '/large.bin', { method: 'HEAD' });
    assert.deepEqual(
      [statusCode, headers['content-length'], (await body.bytes()).length],
      [200, String(nginx.large.length), 0],
    );
  });

  await t.test('204 has neither, and the connection goes on', async () => {
    const { statusCode, headers, body } = await ask('wiki', '/empty');
    assert.deepEqual([statusCode, headers['content-length'], await body.text()], [204, undefined, '']);
    assert.equal((await (await ask('wiki', '/')).body.text()).includes('nginx'), true);
  });

  await t.test('304 for what the client has already', async () => {
    const first = await ask('wiki', '/');
    await first.body.dump();
    const etag = String(first.headers['etag']);
    const again = await ask('wiki', '/', { headers: { 'if-none-match': etag } });
    assert.deepEqual([again.statusCode, await again.body.text(), again.headers['etag']], [304, '', etag]);
  });

  await t.test('a range is the part of the file that was asked for', async () => {
    const { statusCode, headers, body } = await ask('wiki', '/large.bin', {
      headers: { range: 'bytes=5000000-5000099' },
    });
    assert.equal(statusCode, 206);
    assert.equal(headers['content-range'], `bytes 5000000-5000099/${nginx.large.length}`);
    assert.deepEqual(Buffer.from(await body.bytes()), nginx.large.subarray(5_000_000, 5_000_100));
  });

  await t.test('trailers arrive after a body of unknown length', async () => {
    const { body, trailers } = await ask('drop', '/trailers');
    assert.equal(await body.text(), 'a body of unknown length');
    assert.deepEqual(trailers, { 'x-digest': 'sha-256=:of-the-body:' });
  });

  await t.test('trailers of an upload arrive, less those that speak for us', async () => {
    const upload = httpsRequest(`${installation.originOf('drop')}/upload`, {
      method: 'PUT',
      agent: false,
      ca: installation.ca,
      lookup: localhostAwareLookup as LookupFunction,
      headers: { cookie: ada.cookieHeader('drop.localhost'), trailer: 'X-Digest, X-Forwarded-User' },
    });
    upload.addTrailers({ 'X-Digest': 'sha-256=:of-it:', 'X-Forwarded-User': 'root' });
    upload.end('a body of unknown length');
    const [answer] = (await once(upload, 'response')) as [IncomingMessage];
    const { bytes, trailers } = JSON.parse(await text(answer));
    assert.deepEqual([bytes, trailers], [24, { 'x-digest': 'sha-256=:of-it:' }]);
  });

  await t.test('an app cannot plant our cookies, in whatever spelling', async () => {
    const { headers } = await ask('drop', '/cookies');
    assert.deepEqual([headers['set-cookie']].flat(), ['theme=dark; Path=/; Secure']);
  });

  await t.test('an event stream: the first event is there before the second exists', async () => {
    const { headers, body } = await ask('drop', '/events');
    assert.equal(headers['content-type'], 'text/event-stream');
    const events = body.setEncoding('utf8')[Symbol.asyncIterator]();
    assert.equal((await events.next()).value, 'id: 1\ndata: event 1\n\n');
    receiver.tick();
    assert.equal((await events.next()).value, 'id: 2\ndata: event 2\n\n');
    body.destroy();
    await until('the app hears that nobody listens', () => receiver.abandoned.includes('GET /events'));
  });

  await t.test('a client that goes away takes its request from the app', async () => {
    const going = new AbortController();
    const asked = ask('drop', '/hold?abort', { signal: going.signal });
    await until('the request is at the app', () =>
      receiver.seen.some(({ line }) => line === 'GET /hold?abort'),
    );
    going.abort();
    await assert.rejects(asked);
    await until('the app sees it', () => receiver.abandoned.includes('GET /hold?abort'));
  });

  await t.test('a WebSocket echoes text and binary, small and large', async () => {
    const url = `${installation.originOf('drop')}/echo`.replace('https:', 'wss:');
    const ws = new WebSocket(url, {
      ca: installation.ca,
      lookup: localhostAwareLookup,
      headers: { cookie: ada.cookieHeader('drop.localhost'), origin: installation.originOf('drop') },
    });
    await once(ws, 'open');
    for (const sent of [Buffer.from('grüße'), randomBytes(1), randomBytes(3_000_000)]) {
      ws.send(sent, { binary: true });
      const [echoed] = (await once(ws, 'message')) as [Buffer];
      assert.equal(sha256(echoed), sha256(sent));
    }
    ws.close(1000);
    await once(ws, 'close');
    await until('its end is recorded', () =>
      installation.events().some(({ event, http }) => event.action === 'stream-closed' && http !== undefined),
    );
  });

  await t.test('the receiver has seen each request once, with an assertion for it', () => {
    const lines = receiver.seen.map(({ line }) => line);
    assert.deepEqual(
      lines.filter((line, index) => line !== 'PUT /upload' && lines.indexOf(line) !== index),
      [],
    );
    assert.deepEqual(receiver.refused, []);
  });
});
