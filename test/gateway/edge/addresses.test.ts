// The share of connections that one address has, on the wire: who is kept out when it is used up, who is not, and that
// every connection gives its place back, however it ended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { peopleListener, refuseBare } from '#gateway/edge/people-listener';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { until } from '#test/story/part';

const SHARE = 4;
/** One machine with many addresses: the IPv4 ones come as ::ffff:127.0.0.N, and ::1 stands for a /64 of its own. */
const [HERE, THERE, SIX] = ['127.0.0.1', '127.0.0.2', '::1'] as const;
const HAS_SIX = (networkInterfaces()['lo'] ?? []).some(({ address }) => address === SIX);

let directory: string;
let authority: Authority;
let server: Server;
let hello: Buffer;
const arrived = new Set<Socket>();
/** Requests that nobody answers until the test does. */
const waiting: ServerResponse[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-addresses-'));
  authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  server = peopleListener(
    await issueCertificate(authority, ['localhost']),
    { connections: 100, perAddress: SHARE },
    {
      take: ({ request, response }) => {
        if (request.url === '/waiting') waiting.push(response);
        else response.end('here');
      },
      unparsable: (socket, code) => void refuseBare(socket, code),
    },
  ).server;
  server.on('connection', (socket: Socket) => arrived.add(socket));
  server.listen(0, HAS_SIX ? '::' : HERE);
  await once(server, 'listening');
  hello = await new Promise<Buffer>((resolve) => {
    const wire = new Duplex({ read: () => {}, write: (bytes: Buffer) => resolve(bytes) });
    connect({ socket: wire, servername: 'localhost' }).on('error', () => {});
  });
});
after(() => {
  for (const socket of arrived) socket.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

async function plain(from: string): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connectPlain({ port, host: from === SIX ? SIX : HERE, localAddress: from });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function secure(from: string): Promise<TLSSocket> {
  const socket = connect({ socket: await plain(from), ca: authority.certificate, servername: 'localhost' });
  socket.on('error', () => {});
  return socket;
}

/** Whether somebody who comes from there now is answered. */
async function served(from: string): Promise<boolean> {
  const socket = await secure(from);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text.startsWith('HTTP/1.1 200 ');
}

/** Uses up the share of an address with requests that wait. */
async function crowdIn(from: string): Promise<TLSSocket[]> {
  const before = waiting.length;
  const sockets = await Promise.all(Array.from({ length: SHARE }, () => secure(from)));
  for (const socket of sockets) socket.write('GET /waiting HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until('the requests are there', async () => waiting.length === before + SHARE);
  return sockets;
}

test('an address whose share is in use is kept out, and no other is; what is given back is there again', async () => {
  const sockets = await crowdIn(HERE);
  assert.deepEqual([await served(HERE), await served(THERE)], [false, true]);
  if (HAS_SIX) assert.equal(await served(SIX), true);
  waiting.shift()?.end('at last');
  await until('one answered connection gives way', () => served(HERE));
  for (const socket of sockets) socket.destroy();
  await until('all are gone', () => served(HERE));
  waiting.length = 0;
});

const STAGES: readonly (readonly [when: string, act: (from: string) => Promise<Socket>])[] = [
  ['before a byte', plain],
  [
    'in the middle of a ClientHello',
    async (from) => {
      const socket = await plain(from);
      socket.write(hello.subarray(0, 64));
      return socket;
    },
  ],
  [
    'after the ServerHello',
    async (from) => {
      const socket = await plain(from);
      socket.write(hello);
      await once(socket, 'data');
      return socket;
    },
  ],
  ['with TLS, before a request', (from) => talking(from, '')],
  ['in the middle of a head', (from) => talking(from, 'GET / HTTP/1.1\r\nHost: lo')],
  ['with an answer outstanding', (from) => talking(from, 'GET /waiting HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  [
    'in the middle of a body',
    (from) => talking(from, 'POST /waiting HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nxx'),
  ],
  [
    'upgrading',
    (from) =>
      talking(
        from,
        'GET /waiting HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      ),
  ],
];

/** A connection over TLS on which that was said. */
async function talking(from: string, text: string): Promise<Socket> {
  const raw = await plain(from);
  const tls = connect({ socket: raw, ca: authority.certificate, servername: 'localhost' });
  tls.on('error', () => {});
  await once(tls, 'secureConnect');
  tls.write(text);
  return raw;
}

for (const from of HAS_SIX ? [HERE, SIX] : [HERE]) {
  for (const [when, act] of STAGES) {
    test(`a connection from ${from} that is reset ${when} gives its place back`, async () => {
      for (let round = 0; round < 3; round += 1) {
        const sockets = await Promise.all(Array.from({ length: SHARE }, () => act(from)));
        await sleep(50);
        for (const socket of sockets) socket.resetAndDestroy();
        await until('there is room again', () => served(from));
      }
      // Only a whole share of requests under way shows that every place is free: what merely waits gives way.
      const all = await crowdIn(from);
      assert.deepEqual(
        all.map(({ destroyed }) => destroyed),
        Array(SHARE).fill(false),
      );
      for (const socket of all) socket.destroy();
      await until('there is room again', () => served(from));
      waiting.length = 0;
    });
  }
}
