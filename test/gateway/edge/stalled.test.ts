// Clients that stall in each phase of a connection, keep talking without getting anywhere, and never close their side: the
// gateway lets go of every one of them, on every listener.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:https';
import { type AddressInfo, connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { Accepts } from '#gateway/edge/accepts';
import { answer } from '#gateway/edge/answer';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import { readBody } from '#gateway/edge/own-pages';
import { type PeopleHandlers, peopleListener, refuseBare } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { SERVICE_CLIENTS } from '#gateway/service-listener';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';

const LIMITS = { connections: 500, perAddress: 500 };
const HOST = 'Host: localhost\r\n';
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`;

let directory: string;
let store: EmbeddedStore;
let ca: string;
let hello: Buffer;
const servers = {} as Record<'people' | 'connectors' | 'services', Server>;
/** By the client's port: the server's end of a connection. */
const arrived = new Map<number, Socket>();
/** What the listener for people heard, and what each gave up. */
const taken: string[] = [];
const refusedPorts = new Set<number | undefined>();
const given = { people: new Set<string>(), connectors: new Set<string>(), services: new Set<string>() };

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-stalled-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  store = openEmbeddedStore(join(directory, 'state'), Date.now);
  ca = authority.certificate;
  const certificate = await issueCertificate(authority, ['localhost']);
  const handlers = (of: Set<string>): PeopleHandlers => ({
    take: async ({ request, response, upgradeHead }) => {
      taken.push(`${request.method} ${request.url}`);
      if (request.url === '/waiting') return;
      const body = upgradeHead !== undefined || request.method === 'GET' || (await bodyOf(request));
      if (body) await answer(request, response, { status: 403, json: {}, html: async () => '' });
    },
    unparsable: (socket, code) => {
      // Who it was is known, also of a connection that is cut.
      assert.equal((socket as Socket).remoteAddress, '127.0.0.1');
      refusedPorts.add((socket as Socket).remotePort);
      of.add(`${code}: ${refuseBare(socket, code)}`);
    },
  });
  servers.people = peopleListener(certificate, LIMITS, handlers(given.people)).server;
  servers.services = peopleListener(certificate, LIMITS, handlers(given.services), SERVICE_CLIENTS).server;
  servers.connectors = connectorsListener(certificate, LIMITS, {
    desk: new EnrolmentDesk({
      ...{ store, authority, trustDomain: 'sallyport.internal' },
      ...{ certificateLife: 3_600_000, now: Date.now },
    }),
    ...{ authority, trustDomain: 'sallyport.internal', accepts: new Accepts(500, Date.now) },
    connected: (ws) => ws.terminate(),
    record: async () => undefined,
    refused: async ({ code, client }) => {
      refusedPorts.add(client.port);
      given.connectors.add(`${code} ${client.address}`);
    },
  });
  for (const server of Object.values(servers)) {
    server.on('connection', (socket: Socket) => arrived.set(socket.remotePort ?? 0, socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  hello = await clientHello();
});
after(async () => {
  for (const server of Object.values(servers)) {
    server.closeAllConnections();
    server.close();
  }
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

async function bodyOf(request: Parameters<typeof readBody>[0]): Promise<boolean> {
  return readBody(request, 1 << 20).then(
    () => true,
    () => false,
  );
}

/** The first flight of a client, as bytes. */
function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => {}, write: (bytes: Buffer) => resolve(bytes) });
    connect({ socket: wire, servername: 'localhost' }).on('error', () => {});
  });
}

type Say = (socket: Duplex) => void;
const say =
  (text: string | Buffer): Say =>
  (socket) =>
    void socket.write(text);
/** Says `first`, then a byte of `rest` four times a second, again and again. */
const drip =
  (first: string | Buffer, rest: string | Buffer): Say =>
  (socket) => {
    const bytes = Buffer.from(rest as string);
    let at = 0;
    socket.write(first);
    const timer = setInterval(
      () => socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)),
      250,
    );
    socket.once('close', () => clearInterval(timer));
  };

interface Phase {
  readonly what: string;
  /** Without TLS below. */
  readonly bare?: boolean;
  readonly act: Say;
  /** Seconds that are promised, and as many again for a machine that has other things to do. */
  readonly within: number;
}

const POST = (path: string, framing: string): string => `POST ${path} HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`;
const HANDSHAKE = { bare: true, within: 5 };
const HEAD = { within: 10 };
const BODY = { within: 33 };

const phases = (path: string): readonly Phase[] => [
  { what: 'nothing at all', act: () => {}, ...HANDSHAKE },
  {
    what: 'a ClientHello byte by byte',
    act: (socket) => drip(hello.subarray(0, 1), hello.subarray(1))(socket),
    ...HANDSHAKE,
  },
  { what: 'half a ClientHello', act: (socket) => say(hello.subarray(0, 100))(socket), ...HANDSHAKE },
  { what: 'a ClientHello, and nothing more', act: (socket) => say(hello)(socket), ...HANDSHAKE },
  {
    what: 'a ClientHello, then records that say nothing',
    act: (socket) => drip(hello, Buffer.of(20, 3, 3, 0, 1, 1))(socket),
    ...HANDSHAKE,
  },
  { what: 'no request', act: () => {}, ...HEAD },
  { what: 'a head byte by byte', act: drip(`GET / HTTP/1.1\r\n${HOST}X: `, 'x'), ...HEAD },
  { what: 'blank lines before a request', act: drip('', '\r\n'), ...HEAD },
  { what: 'half an upgrade', act: say(`GET /v1/tunnel HTTP/1.1\r\n${HOST}Connection: Upgr`), ...HEAD },
  {
    what: 'an upgrade that is refused',
    act: say(`GET /v1/tunnel HTTP/1.1\r\n${HOST}${UPGRADE}\r\n`),
    ...HEAD,
  },
  { what: 'a preface of HTTP/2', act: say('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), ...HEAD },
  { what: 'half a second request', act: say(`GET /v1/ca HTTP/1.1\r\n${HOST}\r\nGET /v1/`), ...HEAD },
  { what: 'a body that does not come', act: say(POST(path, 'Content-Length: 5000')), ...BODY },
  { what: 'a body byte by byte', act: drip(POST(path, 'Content-Length: 5000'), 'x'), ...BODY },
  {
    what: 'an endless chunk extension',
    act: drip(`${POST(path, 'Transfer-Encoding: chunked')}1;`, 'x'),
    ...BODY,
  },
  {
    what: 'endless trailers',
    act: drip(`${POST(path, 'Transfer-Encoding: chunked')}0\r\nX: `, 'x'),
    ...BODY,
  },
  {
    what: 'no body after 100 Continue',
    act: say(POST(path, 'Content-Length: 9\r\nExpect: 100-continue')),
    ...BODY,
  },
];

/** Resolves when the server's end of the connection from that port of ours is closed. */
async function leaves(port: number): Promise<'gone'> {
  let there = arrived.get(port);
  while (there === undefined) {
    await sleep(10);
    there = arrived.get(port);
  }
  if (!there.destroyed) await once(there, 'close');
  return 'gone';
}

/** Connects, acts, and never closes: resolves when the gateway has let go. */
async function letGo(server: Server, { what, bare = false, act, within }: Phase): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const raw = connectPlain({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(raw, 'connect');
  const { localPort = 0 } = raw;
  raw.on('error', () => {});
  let socket: Duplex = raw;
  if (!bare) {
    const tls = connect({ socket: raw, ca, servername: 'localhost', ...{ allowHalfOpen: true } });
    await once(tls, 'secureConnect');
    socket = tls;
  }
  socket.on('error', () => {}).resume();
  act(socket);
  const outcome = await Promise.race([
    leaves(localPort),
    sleep(within * 2_000, 'still there', { ref: false }),
  ]);
  socket.destroy();
  raw.destroy();
  assert.equal(outcome, 'gone', what);
}

/** A connection on which nothing was said yet, and what is heard on it. */
async function listening(server: Server): Promise<{ socket: Socket; heard: Buffer[] }> {
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', ca, servername: 'localhost' });
  const heard: Buffer[] = [];
  socket.on('error', () => {}).on('data', (bytes: Buffer) => heard.push(bytes));
  await once(socket, 'secureConnect');
  return { socket, heard };
}

describe('whoever stalls is let go, and keeps nobody', { concurrency: true }, () => {
  for (const [listener, path] of [
    ['people', '/body'],
    ['connectors', '/v1/enrol'],
    ['services', '/body'],
  ] as const) {
    for (const phase of phases(path)) {
      test(`${listener}: ${phase.what}`, () => letGo(servers[listener], phase));
    }
  }

  for (const listener of ['people', 'connectors', 'services'] as const) {
    test(`${listener}: a connection that was never used ends without a word`, async () => {
      const { socket, heard } = await listening(servers[listener]);
      const { localPort = 0 } = socket;
      await leaves(localPort);
      socket.destroy();
      assert.deepEqual(heard, []);
      assert.ok(!refusedPorts.has(localPort), 'it asked for nothing that could be refused');
    });
  }

  test('people: what is completed after its refusal is not taken', async () => {
    const { port } = servers.people.address() as AddressInfo;
    const socket = connect({
      port,
      host: '127.0.0.1',
      ca,
      servername: 'localhost',
      ...{ allowHalfOpen: true },
    });
    socket.on('error', () => {});
    socket.write('POST /late HTTP/1.1\r\nHost: local');
    const [answered] = (await once(socket, 'data')) as [Buffer];
    assert.match(answered.toString('latin1'), /^HTTP\/1\.1 408 /);
    socket.write('host\r\nContent-Length: 0\r\n\r\nGET /late HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await leaves(socket.localPort ?? 0);
    socket.destroy();
    assert.deepEqual(
      taken.filter((one) => one.endsWith('/late')),
      [],
    );
  });

  test('connectors: an upgrade behind a request under way ends its connection, and nobody is answered', async () => {
    const { socket, heard } = await listening(servers.connectors);
    const enrol = `POST /v1/enrol HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\n{}`;
    socket.write(`${enrol}GET /v1/tunnel HTTP/1.1\r\n${HOST}${UPGRADE}\r\n`);
    await leaves(socket.localPort ?? 0);
    socket.destroy();
    assert.deepEqual(heard, []);
  });

  test('people: of requests ahead of their answers no more than a few are taken', async () => {
    const { socket } = await listening(servers.people);
    socket.write(`GET /waiting HTTP/1.1\r\n${HOST}\r\n`.repeat(5_000));
    await leaves(socket.localPort ?? 0);
    assert.equal(taken.filter((one) => one === 'GET /waiting').length, 32);
  });
});

test('what was refused for it is told apart', () => {
  const stalled = ['ERR_HTTP_REQUEST_TIMEOUT: timeout', 'HPE_PAUSED_H2_UPGRADE: parse'];
  assert.deepEqual(given, {
    people: new Set([...stalled, 'ERR_HTTP_TOO_MANY_PIPELINED: parse']),
    connectors: new Set(
      ['timeout', 'parse', 'certificate-missing', 'bad-request'].map((code) => `${code} 127.0.0.1`),
    ),
    services: new Set(stalled),
  });
});
