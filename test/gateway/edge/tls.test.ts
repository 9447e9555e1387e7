// TLS as strangers find it, asked by programs that are not ours: no weak protocol, cipher or certificate, and the same
// answer whatever name they call. Both listeners are looked at.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:https';
import { type AddressInfo, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import type { Exchange } from '#gateway/edge/exchange';
import { peopleListener } from '#gateway/edge/people-listener';
import { TicketKeys, ticketSeed } from '#gateway/edge/ticket-keys';
import { type Authority, openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { SERVICE_CLIENTS } from '#gateway/service-listener';
import { type EmbeddedStore, openEmbeddedStore } from '#gateway/state/embedded';
import { requires } from '../../requires.ts';

const run = promisify(execFile);
const HOST = 'wiki.localhost';
const LIMITS = { connections: 200, perAddress: 20 };

let directory: string;
let authority: Authority;
let store: EmbeddedStore;
let people: Server;
let connectors: Server;
let services: Server;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-tls-'));
  authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const { cert, key } = await issueCertificate(authority, [HOST, 'localhost']);
  people = peopleListener({ cert, key }, LIMITS, {
    take: ({ response }) => response.end('here'),
    unparsable: (socket) => socket.destroy(),
  }).server;
  const handlers = { take: ({ response }: Exchange) => response.end('here'), unparsable: () => {} };
  services = peopleListener({ cert, key }, LIMITS, handlers, SERVICE_CLIENTS).server;
  const desk = new EnrolmentDesk({
    ...{ store, authority, trustDomain: 'sallyport.internal' },
    ...{ certificateLife: 3_600_000, now: Date.now },
  });
  connectors = connectorsListener({ cert, key }, LIMITS, {
    ...{ desk, authority, trustDomain: 'sallyport.internal', accepts: new Accepts(500, Date.now) },
    connected: (ws) => ws.terminate(),
    record: async () => undefined,
    refused: async () => undefined,
  });
  for (const server of [people, connectors, services]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
});
after(async () => {
  for (const server of [people, connectors, services]) {
    server.closeAllConnections();
    server.close();
  }
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A handshake, and what became of it. */
function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket | Error> {
  return new Promise((resolve) => {
    const ca = authority.certificate;
    const socket = connect({ host: '127.0.0.1', port, ca, servername: HOST, ...options }, () =>
      resolve(socket),
    );
    socket.once('error', resolve);
  });
}

describe('what openssl and nmap find', () => {
  /** Lines of s_client's report; it ends when its input does. */
  async function sClient(port: number, ...options: string[]): Promise<string> {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, ...options];
    const report = run('openssl', args, { timeout: 20_000 });
    report.child.stdin?.end();
    const { stdout, stderr } = await report.catch((failed: { stdout: string; stderr: string }) => failed);
    return stdout + stderr;
  }

  test('no protocol older than 1.2, and 1.3 alone for connectors', {
    skip: requires('openssl'),
  }, async () => {
    for (const [server, version, spoken] of [
      [people, '-tls1_3', true],
      [people, '-tls1_2', true],
      [people, '-tls1_1', false],
      [people, '-tls1', false],
      [services, '-tls1_3', true],
      [services, '-tls1_2', true],
      [services, '-tls1_1', false],
      [services, '-tls1', false],
      [connectors, '-tls1_3', true],
      [connectors, '-tls1_2', false],
    ] as const) {
      const report = await sClient(portOf(server), version, '-cipher', 'ALL:@SECLEVEL=0');
      assert.equal(
        /Cipher is TLS_|Cipher is ECDHE/.test(report),
        spoken,
        `${version}: ${report.slice(0, 600)}`,
      );
    }
  });

  test('nothing without forward secrecy or authentication of what is sent', {
    skip: requires('openssl'),
  }, async () => {
    const weak = ['aNULL', 'eNULL', 'RC4', '3DES', 'CBC', 'kRSA', 'DHE', 'SHA1', 'SHA256', 'AESCCM', 'PSK'];
    for (const server of [people, services]) {
      for (const cipher of weak) {
        const only = `${cipher}:!AESGCM:!CHACHA20:@SECLEVEL=0`;
        const report = await sClient(portOf(server), '-tls1_2', '-cipher', only);
        assert.doesNotMatch(report, /Cipher is (?!\(NONE\))\S+/, cipher);
      }
    }
  });

  test('nmap grades every cipher A and finds no warning', { skip: requires('nmap') }, async () => {
    for (const server of [people, connectors, services]) {
      const { stdout } = await run(
        'nmap',
        ['-Pn', '-n', '-p', String(portOf(server)), '--script', 'ssl-enum-ciphers', '127.0.0.1'],
        { timeout: 120_000 },
      );
      assert.match(stdout, /least strength: A/, stdout);
      assert.doesNotMatch(stdout, /warnings|SSLv|TLSv1\.[01]|- [B-F]\b/, stdout);
    }
  });
});

test('the certificate is for a P-256 key, of our authority, short-lived, and no authority itself', async () => {
  const socket = await shake(portOf(people));
  assert.ok(!(socket instanceof Error));
  const certificate = socket.getPeerX509Certificate();
  assert.ok(
    certificate !== undefined &&
      !certificate.ca &&
      certificate.verify(certificate.issuerCertificate?.publicKey ?? certificate.publicKey),
  );
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.ok(Date.parse(certificate.validTo) - Date.parse(certificate.validFrom) < 32 * 86_400_000);
  socket.destroy();
});

test('every spelling of a name meets the same strict settings', async () => {
  for (const servername of [
    HOST,
    'WIKI.localhost',
    'Wiki.LocalHost',
    'wiki.localhost.',
    'other.example',
    '',
    'x'.repeat(200),
  ]) {
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    const refused = await shake(portOf(people), { servername, ...old });
    assert.ok(refused instanceof Error, servername);
    const bare = await shake(portOf(connectors), { servername, maxVersion: 'TLSv1.2' });
    assert.ok(bare instanceof Error, servername);
  }
});

test('HTTP/2 is not offered', async () => {
  const socket = await shake(portOf(people), { ALPNProtocols: ['h2', 'http/1.1'] });
  assert.ok(!(socket instanceof Error));
  assert.equal(socket.alpnProtocol, 'http/1.1');
  socket.destroy();
  for (const listener of [people, connectors, services])
    assert.ok((await shake(portOf(listener), { ALPNProtocols: ['h2'] })) instanceof Error);
});

test('a client cannot renegotiate', async () => {
  const socket = await shake(portOf(people), { maxVersion: 'TLSv1.2' });
  assert.ok(!(socket instanceof Error));
  socket.on('error', () => {});
  const outcome = await new Promise<unknown>((resolve) => {
    socket.once('close', () => resolve(new Error('closed')));
    socket.renegotiate({}, resolve);
  });
  assert.ok(outcome instanceof Error);
  socket.destroy();
});

test('tickets are sealed with keys that are thrown away', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const made = peopleListener({ cert: '', key: '' }, LIMITS, { take: () => {}, unparsable: () => {} }).server;
  const undo: (() => unknown)[] = [];
  const tickets = TicketKeys.turning(undo);
  tickets.attend(made, 'people');
  const first = made.getTicketKeys();
  t.mock.timers.tick(3_600_000);
  assert.notDeepEqual(made.getTicketKeys(), first);
  made.emit('close');
  for (const step of undo) step();
});

test('processes with one seed take each other’s tickets, and no listener takes those of another', () => {
  const listener = (): Server =>
    peopleListener({ cert: '', key: '' }, LIMITS, { take: () => {}, unparsable: () => {} }).server;
  const seed = ticketSeed();
  const [here, there, other, later] = [listener(), listener(), listener(), listener()];
  const tickets = new TicketKeys(seed);
  tickets.attend(here, 'people');
  new TicketKeys(seed).attend(there, 'people');
  tickets.attend(other, 'connectors');
  assert.deepEqual(here.getTicketKeys(), there.getTicketKeys());
  assert.notDeepEqual(here.getTicketKeys(), other.getTicketKeys());
  tickets.turn();
  tickets.attend(later, 'people');
  assert.deepEqual(here.getTicketKeys(), later.getTicketKeys());
  assert.notDeepEqual(here.getTicketKeys(), there.getTicketKeys());
  for (const one of [here, there, other, later]) one.emit('close');
});

test('a service begins every connection anew: a resumed one would show no chain', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await shake(portOf(services), { maxVersion });
    assert.ok(!(first instanceof Error));
    let session = first.getSession();
    first.on('session', (fresh) => {
      session = fresh;
    });
    first.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    first.resume();
    await once(first, 'close');
    const second = await shake(portOf(services), { maxVersion, session });
    assert.ok(!(second instanceof Error));
    assert.equal(second.isSessionReused(), false, maxVersion);
    second.destroy();
  }
});

test('one idle connection, or a thousand stalled handshakes, keep nobody out', async () => {
  const port = portOf(people);
  const stalled = Array.from({ length: 1000 }, (_, index) => {
    const socket = connectPlain(port, '127.0.0.1');
    socket.on('error', () => {});
    // The first bytes of a ClientHello, and no more.
    if (index % 2 === 0) socket.write(Buffer.from('160301020001', 'hex'));
    return socket;
  });
  const open = (): number => stalled.filter((socket) => !socket.destroyed).length;
  const honest = await shake(port);
  assert.ok(!(honest instanceof Error));
  honest.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const [answer] = await once(honest, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 200 /);
  honest.destroy();
  await new Promise<void>((resolve) => {
    const look = (): void => void (open() <= LIMITS.perAddress ? resolve() : setTimeout(look, 20));
    look();
  });
  for (const socket of stalled) socket.destroy();
});
