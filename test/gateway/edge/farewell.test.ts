// Letting go of a listener: who asks is answered, once and for the last time; who streams holds nobody up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { connect } from 'node:tls';
import { Farewell } from '#gateway/edge/farewell';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

const NOBODY: ReadonlySet<unknown> = new Set();

interface Place {
  readonly farewell: Farewell;
  /** Of its listener, on the gateway's side. */
  readonly sockets: ReadonlySet<unknown>;
  readonly port: number;
  readonly ca: string;
  ask(path: string): Promise<IncomingMessage>;
}

async function place(
  t: TestContext,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-farewell-'));
  const authority = await openAuthority(directory, 'Test', Date.now);
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const server = createServer({ cert, key, keepAliveTimeout: 60_000 }, handle);
  const sockets = new Set<Socket>();
  server.on('secureConnection', (socket) => sockets.add(socket));
  const farewell = new Farewell(server, () => sockets);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ca = authority.certificate;
  const agent = new Agent({ keepAlive: true, ca, servername: 'localhost' });
  t.after(() => {
    agent.destroy();
    server.closeAllConnections();
    rmSync(directory, { recursive: true, force: true });
  });
  const ask = async (path: string): Promise<IncomingMessage> => {
    const req = request({ host: '127.0.0.1', port, path, agent });
    req.end();
    const [response] = (await once(req, 'response')) as [IncomingMessage];
    return response;
  };
  return { farewell, sockets, port, ca, ask };
}

test('what is under way is answered, with the word that it is the last', async (t) => {
  let answer: (() => void) | undefined;
  const arrived = Promise.withResolvers<void>();
  const { farewell, ask } = await place(t, (req, res) => {
    if (req.url !== '/slow') return void res.end('quick');
    answer = () => res.end('slow');
    arrived.resolve();
  });
  assert.equal((await ask('/quick')).headers.connection, 'keep-alive');
  const slow = ask('/slow');
  await arrived.promise;
  const said = farewell.say(10_000, () => NOBODY);
  // Refused, or reset where it had come into the kernel's queue at the last moment.
  await assert.rejects(ask('/refused'), { code: /^ECONN(?:REFUSED|RESET)$/ });
  answer?.();
  const response = await slow;
  assert.equal(response.headers.connection, 'close');
  assert.equal(await text(response), 'slow');
  await said;
});

test('a connection whose handshake has begun may still ask, and is answered', async (t) => {
  const { farewell, port, ca } = await place(t, (_req, res) => res.end('here'));
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
  // The TCP connection stands, the handshake is under way: the listener closes in between.
  await once(socket, 'connect');
  await new Promise(setImmediate);
  const said = farewell.say(10_000, () => NOBODY);
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const reply = await text(socket);
  assert.match(reply, /^HTTP\/1\.1 200 [\s\S]*Connection: close[\s\S]*here/);
  await said;
});

test('an event stream is carried: it holds nobody up, and is not cut', async (t) => {
  const { farewell, sockets, ask } = await place(t, (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
  });
  const stream = await ask('/events');
  await once(stream, 'data');
  await farewell.say(10_000, () => new Set(sockets));
  assert.equal(stream.destroyed, false);
});

test('what is carried for others does not stand for somebody who may still ask', async (t) => {
  const { farewell, port, ca } = await place(t, (_req, res) => res.end('here'));
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\n');
  let over = false;
  const said = farewell.say(10_000, () => new Set(['one of another listener', 'and its like']));
  const first = said.then(() => {
    over = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(over, false);
  socket.write('Host: localhost\r\n\r\n');
  assert.match(await text(socket), /Connection: close[\s\S]*here/);
  await first;
});

test('whoever asks for nothing is waited for no longer than the grace', async (t) => {
  const { farewell, ask } = await place(t, () => {});
  const never = ask('/never');
  never.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  await farewell.say(200, () => NOBODY);
});
