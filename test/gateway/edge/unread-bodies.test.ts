// A last answer to a request whose body is still on its way: whoever sends one reads the answer, not a broken connection.
// No listener may take what comes behind it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { answer } from '#gateway/edge/answer';
import { type ConnectorHandlers, connectorsListener } from '#gateway/edge/connectors-listener';
import type { Exchange } from '#gateway/edge/exchange';
import { peopleListener, refuseBare } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import type { Authority } from '#gateway/pki/issued';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { listening } from './listening.ts';

const PIECE = Buffer.alloc(100_000, 'x');
const PIECES = 10;

interface Line {
  readonly socket: TLSSocket;
  /** Requests that came. */
  readonly taken: IncomingMessage[];
  /** All that came. */
  readonly said: () => string;
  /** How the connection broke, if it did. */
  readonly broke: () => string | undefined;
}

type Made = (certificate: { cert: string; key: string }, authority: Authority) => Server;
const LIMITS = { connections: 10, perAddress: 10 };

/** A connection to a listener for people that does `take` with each request. */
function line(t: TestContext, take: (exchange: Exchange) => void): Promise<Line> {
  return lineTo(
    t,
    (certificate) =>
      peopleListener(certificate, LIMITS, {
        take,
        unparsable: (socket, code) => void refuseBare(socket, code),
      }).server,
  );
}

async function lineTo(t: TestContext, made: Made): Promise<Line> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-unread-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const server = made(await issueCertificate(authority, ['localhost']), authority);
  const taken: IncomingMessage[] = [];
  server.prependListener('request', (request: IncomingMessage) => void taken.push(request));
  const port = await listening(t, server);
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.certificate });
  t.after(() => socket.destroy());
  let broke: string | undefined;
  socket.on('error', ({ code }: NodeJS.ErrnoException) => {
    broke = code;
  });
  let said = '';
  socket.on('data', (bytes: Buffer) => {
    said += bytes.toString('latin1');
  });
  await once(socket, 'secureConnect');
  return { socket, taken, said: () => said, broke: () => broke };
}

function refuse({ request, response }: Exchange): void {
  void answer(request, response, { status: 403, json: { error: 'no' }, html: async () => '' });
}

const head = (more: string): string => `POST /upload HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const LENGTH = `Content-Length: ${PIECE.length * PIECES}\r\n`;

/** Sends a body whose request was answered while it began, and waits for the end of the connection. */
async function uploadBehindAnswer({ socket }: Line, more: string, behind = ''): Promise<void> {
  socket.write(head(more));
  socket.write(PIECE);
  await once(socket, 'data');
  const closed = once(socket, 'close');
  for (let i = 2; i < PIECES && socket.writable; i += 1) {
    await new Promise((resolve) => socket.write(PIECE, resolve));
  }
  if (socket.writable) socket.write(Buffer.concat([PIECE, Buffer.from(behind)]));
  await closed;
}

test('who is refused while uploading can send the rest, and the connection ends in order', async (t) => {
  const one = await line(t, refuse);
  await uploadBehindAnswer(one, LENGTH);
  assert.match(one.said(), /^HTTP\/1\.1 403 .*Connection: close.*\{"error":"no"\}\n$/s);
  assert.equal(one.broke(), undefined);
  assert.equal(one.taken[0]?.complete, true);
});

test('so can who asked for a connection that ends with the answer', async (t) => {
  const one = await line(t, ({ response }) => void response.writeHead(413).end('too large'));
  await uploadBehindAnswer(one, `${LENGTH}Connection: close\r\n`);
  assert.match(one.said(), /^HTTP\/1\.1 413 .*too large/s);
  assert.equal(one.broke(), undefined);
  assert.equal(one.taken[0]?.complete, true);
});

test('what is sent behind such a body is not taken', async (t) => {
  let taken = 0;
  const one = await line(t, (exchange) => {
    taken += 1;
    refuse(exchange);
  });
  await uploadBehindAnswer(one, LENGTH, head('Content-Length: 0\r\n'));
  assert.equal(taken, 1);
  assert.equal(one.said().match(/HTTP\/1\.1/g)?.length, 1);
});

test('a body that turns out broken behind its answer is not answered twice', async (t) => {
  const one = await line(t, refuse);
  one.socket.write(head('Transfer-Encoding: chunked\r\n'));
  await once(one.socket, 'data');
  const closed = once(one.socket, 'close');
  one.socket.write('no chunk at all\r\n');
  await closed;
  assert.equal(one.said().match(/HTTP\/1\.1/g)?.length, 1);
});

test('who sends no more of the body is let go of', async (t) => {
  const one = await line(t, refuse);
  one.socket.write(head(LENGTH));
  one.socket.write(PIECE);
  await once(one.socket, 'close');
  assert.match(one.said(), /^HTTP\/1\.1 403 /);
  assert.equal(one.taken[0]?.complete, false);
});

test('connectors, too, hear why they are refused before they have sent all', async (t) => {
  const one = await lineTo(t, (certificate, authority) =>
    connectorsListener(certificate, LIMITS, { authority } as ConnectorHandlers),
  );
  await uploadBehindAnswer(one, LENGTH, head('Content-Length: 0\r\n'));
  assert.match(one.said(), /^HTTP\/1\.1 404 .*There is no such address/s);
  assert.equal(one.said().match(/HTTP\/1\.1/g)?.length, 1);
  assert.equal(one.broke(), undefined);
  assert.equal(one.taken[0]?.complete, true);
});
