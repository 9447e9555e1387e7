// The listener that connectors dial: a tunnel beyond what is taken a second is turned away and told so in words, and so is
// one whose certificate has ended.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { dial } from '#connectors/link/dial';
import { enrol, renew } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { readToken } from '#connectors/link/token';
import { certificateRequest } from '#connectors/wire/certificate-request';
import { pem } from '#connectors/wire/der-writer';
import { DEFAULT_LIMITS, VERSIONS } from '#connectors/wire/limits';
import { Session } from '#connectors/wire/session';
import { IGNORE } from '#connectors/wire/stream';
import { overWebSocket } from '#connectors/wire/transport';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import type { Refused } from '#gateway/inspect/strangers';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { Tunnels } from '#gateway/tunnel/tunnels';

interface Listening {
  readonly gateway: URL;
  readonly identity: Identity;
  readonly taken: () => number;
  readonly refusals: Refused[];
  /** Kinds of what was recorded for good. */
  readonly recorded: string[];
  readonly desk: EnrolmentDesk;
  /** The token by which `identity` came. */
  readonly spent: string;
}

/** A listener of its own authority, and a way to enrol there. */
async function listening(
  t: TestContext,
  more: {
    readonly accepts?: Accepts;
    readonly certificateLife?: number;
    readonly tunnels?: Tunnels;
    /** Connections at once. */
    readonly room?: number;
    readonly revoked?: (serial: string) => boolean;
  } = {},
): Promise<Listening> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-accepts-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const trustDomain = 'sallyport.internal';
  const { certificateLife = 3_600_000, accepts = new Accepts(100, Date.now), tunnels } = more;
  const desk = new EnrolmentDesk({ store, authority, trustDomain, certificateLife, now: Date.now });
  const refusals: Refused[] = [];
  const recorded: string[] = [];
  let taken = 0;
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const { room = 1000 } = more;
  const limits = { connections: room, perAddress: room };
  const server = connectorsListener({ cert, key }, limits, {
    ...{ desk, authority, trustDomain, accepts, ...(more.revoked && { revoked: more.revoked }) },
    connected: (ws, { name, certificate: { serial, notAfter } }) => {
      taken += 1;
      t.after(() => ws.terminate());
      const apps = new Set(['wiki']);
      tunnels?.accept(ws, { connector: name, apps, address: '127.0.0.1', serial, notAfter });
    },
    record: async ({ kind }) => {
      recorded.push(kind);
    },
    refused: async (event) => {
      refusals.push(event);
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const gateway = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
  const { token } = await desk.createToken('one', 60_000, 'test');
  const identity = await enrol(gateway, readToken(token, Date.now()));
  return { gateway, identity, taken: () => taken, refusals, recorded, desk, spent: token };
}

async function dialled(t: TestContext, gateway: URL, identity: Identity): Promise<string> {
  return dial(gateway, identity).then(
    (ws) => {
      t.after(() => ws.terminate());
      return 'open';
    },
    (error: Error) => error.message,
  );
}

test('while nobody knows what was revoked a connector is told to try again, not that it is not admitted', async (t) => {
  let known = false;
  const revoked = (): boolean => {
    assert.ok(known, 'not known');
    return false;
  };
  const { gateway, identity, refusals } = await listening(t, { revoked });
  assert.match(await dialled(t, gateway, identity), /answered 503: it takes no tunnel at this moment/);
  assert.deepEqual(refusals, []);
  known = true;
  assert.equal(await dialled(t, gateway, identity), 'open');
});

test('tunnels beyond the rate are turned away with 503, and taken when there is room again', async (t) => {
  let now = 0;
  const { gateway, identity, taken } = await listening(t, { accepts: new Accepts(2, () => now) });
  const ask = (): Promise<string> => dialled(t, gateway, identity);
  assert.deepEqual([await ask(), await ask()], ['open', 'open']);
  assert.match(await ask(), /answered 503: it takes no tunnel at this moment/);
  now += 1_000;
  assert.equal(await ask(), 'open');
  assert.equal(taken(), 3);
});

test('with its certificate a connector loses its tunnel, and is refused by name and told what to do', async (t) => {
  const closed = Promise.withResolvers<string>();
  const tunnels = new Tunnels({
    ...{ now: Date.now, random: Math.random },
    onConnect: () => undefined,
    onDisconnect: (_info, reason) => closed.resolve(reason),
  });
  t.after(() => tunnels.drain(0));
  const { gateway, identity, refusals } = await listening(t, { tunnels, certificateLife: 3_000 });
  const limits = DEFAULT_LIMITS;
  const session = new Session({
    ...{ transport: overWebSocket(await dial(gateway, identity)), limits, budget: { held: 0 } },
    clock: () => performance.now(),
    greeting: {
      hello: { versions: VERSIONS, window: 65_536, streams: 8, apps: ['wiki'], instance: 'i', software: 's' },
    },
    ...{
      onReady: () => undefined,
      onOpen: () => IGNORE,
      onGoaway: () => undefined,
      onClose: () => undefined,
    },
  });
  t.after(() => session.end('going-away', 'over'));
  assert.match(await closed.promise, /certificate-expired/);
  assert.match(await dialled(t, gateway, identity), /answered 403: .* has expired, .* a new token/);
  await assert.rejects(renew(gateway, identity), /certificate-expired.*another token to enrol again/);
  const told = refusals.map((one) => ('connector' in one ? [one.code, one.connector?.name] : [one.kind]));
  assert.deepEqual(told, [
    ['certificate-expired', 'one'],
    ['certificate-expired', 'one'],
  ]);
  const stranger = await openAuthority(mkdtempSync(join(tmpdir(), 'sallyport-stranger-')), 'Other', Date.now);
  const peer = await stranger.issuePeer('spiffe://sallyport.internal/connector/one', 1_000);
  await sleep(2_000);
  assert.match(await dialled(t, gateway, { ...identity, ...peer }), /answered 403/);
  assert.equal(
    refusals.at(-1)?.code,
    'certificate-untrusted',
    'nobody is named by what another authority says',
  );
});

/** Strangers that say `text` and stay: as many as there is room for. */
async function crowdedBy(t: TestContext, gateway: URL, text: string, room: number): Promise<void> {
  for (let i = 0; i < room; i += 1) {
    const socket = connect({ host: '127.0.0.1', port: Number(gateway.port), rejectUnauthorized: false });
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    socket.write(text);
  }
  // Whatever they said has been read.
  await sleep(100);
}

const HOST = 'Host: localhost\r\n';
const strangers: readonly (readonly [what: string, text: string])[] = [
  ['do not go on with a body', `POST /v1/enrol HTTP/1.1\r\n${HOST}Content-Length: 5000\r\n\r\n{`],
  [
    'do not go on with a chunk',
    `POST /v1/renew HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nff\r\n{`,
  ],
];
for (const [what, text] of strangers) {
  test(`a listener full of strangers who ${what} takes a connector all the same`, async (t) => {
    const room = 8;
    const { gateway, identity } = await listening(t, { room });
    await crowdedBy(t, gateway, text, room);
    assert.equal(await dialled(t, gateway, identity), 'open');
  });
}

test('what anybody may ask for is answered once on a connection', async (t) => {
  const { gateway } = await listening(t);
  const socket = connect({ host: '127.0.0.1', port: Number(gateway.port), rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(`GET /v1/ca HTTP/1.1\r\n${HOST}\r\n`.repeat(20));
  let answered = '';
  for await (const piece of socket) answered += String(piece);
  assert.equal(answered.split('HTTP/1.1 200 OK').length - 1, 1);
  assert.match(answered, /-----END CERTIFICATE-----/);
});

interface Credentials {
  readonly key?: string;
  readonly cert?: string;
}

/** Posts to the listener, on a connection of its own; the answer's status and text. */
function post(
  gateway: URL,
  path: string,
  body: object,
  credentials: Credentials = {},
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent: false, rejectUnauthorized: false, ...credentials };
    const asked = request(new URL(path, gateway), options, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => {
        text += piece.toString('latin1');
      });
      response.once('end', () => resolve([response.statusCode ?? 0, text]));
    });
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
}

test('nothing is issued at any address without a grant of its own, whoever asks', async (t) => {
  const { gateway, identity, desk, spent, recorded, refusals } = await listening(t);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const csr = pem(
    'CERTIFICATE REQUEST',
    await certificateRequest(spki, (data) => sign('sha256', data, privateKey)),
  );
  const other = mkdtempSync(join(tmpdir(), 'sallyport-other-'));
  t.after(() => rmSync(other, { recursive: true, force: true }));
  const elsewhere = await openAuthority(other, 'Other', Date.now);
  const foreign = await elsewhere.issuePeer('spiffe://sallyport.internal/connector/one', 60_000);
  const revoked = readToken((await desk.createToken('two', 60_000, 'test')).token, Date.now());
  const two = await enrol(gateway, revoked);
  await desk.revoke('two');
  const none = {};
  const callers: readonly (readonly [who: string, credentials: Credentials])[] = [
    ['nobody', none],
    ['one of another authority', { key: foreign.key, cert: foreign.certificate }],
    ['one who was revoked', { key: two.key, cert: two.certificate }],
  ];
  const asks: readonly (readonly [path: string, body: object])[] = [
    ['/v1/enrol', { csr }],
    ['/v1/enrol', { token: '', csr }],
    ['/v1/enrol', { token: spent, csr }],
    ['/v1/enrol', { token: spent.replace(/.{8}$/, 'AAAAAAAA'), csr }],
    ['/v1/enrol', { token: { secret: spent }, csr }],
    ['/v1/renew', { csr }],
    ['/v1/renew', { csr, certificate: identity.certificate }],
    ['/v1/renew', { csr, certificate: two.certificate }],
    ['/v1/renew', { token: spent, csr }],
    ['/v1/key-proof', { ekPublic: 'AAAA', akPublic: 'AAAA' }],
    ['/v1/revoke', { name: 'one' }],
    ['/v1/devices', { name: 'one' }],
  ];
  recorded.length = 0;
  for (const [who, credentials] of callers) {
    for (const [path, body] of asks) {
      const before = refusals.length;
      const [status, text] = await post(gateway, path, body, credentials);
      assert.ok(status >= 400 && status < 500, `${who} at ${path}: ${status} ${text}`);
      assert.doesNotMatch(text, /CERTIFICATE/, `${who} at ${path}`);
      if (status !== 404) assert.equal(refusals.length, before + 1, `${who} at ${path}: ${status}`);
    }
  }
  assert.deepEqual(recorded, [], 'nothing was issued');
  // And what may be had is had, by whom it is for, once.
  const [status] = await post(
    gateway,
    '/v1/renew',
    { csr },
    { key: identity.key, cert: identity.certificate },
  );
  assert.equal(status, 201);
  assert.deepEqual(recorded, ['connector-renewed']);
});
