// The link that one gateway dials to another, over real TLS: it goes before its certificate does, and another has taken its
// place by then.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WebSocket } from 'ws';
import { DialError, dial } from '#connectors/link/dial';
import { Accepts } from '#gateway/edge/accepts';
import { connectorsListener } from '#gateway/edge/connectors-listener';
import { openAuthority } from '#gateway/pki/authority';
import { EnrolmentDesk } from '#gateway/pki/enrolment';
import type { Authority } from '#gateway/pki/issued';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { RELAY_PATH } from '#gateway/relay/link';
import { Peers } from '#gateway/relay/peers';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { Tunnels } from '#gateway/tunnel/tunnels';
import type { Log } from '#siem/log';

const trustDomain = 'sallyport.internal';
const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined } as unknown as Log;

interface Bed {
  readonly address: string;
  readonly authority: Authority;
  /** Those of the gateway that is dialled. */
  readonly tunnels: Tunnels;
  readonly peers: Peers;
  /** Links, in the order in which they were dialled; none is welcome before it is let in. */
  readonly dialled: (() => void)[];
  /** What was recorded of dials that were turned away. */
  readonly refused: string[];
  /** Of the gateway that dials, in milliseconds from now on. */
  ahead: number;
}

/** Two gateways of one installation, of which one dials the other. */
async function bed(t: TestContext, revoked: (serial: string) => boolean = () => false): Promise<Bed> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-links-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const certificateLife = 3_600_000;
  const desk = new EnrolmentDesk({ store, authority, trustDomain, certificateLife, now: Date.now });
  const tunnels = new Tunnels({
    ...{ now: Date.now, random: Math.random, revoked },
    onConnect: () => undefined,
    onDisconnect: () => undefined,
  });
  const dialled: (() => void)[] = [];
  const refused: string[] = [];
  const linked = (ws: WebSocket, gateway: { name: string; certificate: { serial: string } }): void => {
    // Its hello waits until it is let in.
    ws.pause();
    t.after(() => ws.terminate());
    const { serial } = gateway.certificate;
    const peer = { connector: `gateway/${gateway.name}`, relay: true, address: '127.0.0.1', serial };
    dialled.push(() => {
      tunnels.accept(ws, { ...peer, apps: new Set(['wiki']) });
      ws.resume();
    });
  };
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const server = connectorsListener(
    { cert, key },
    { connections: 100, perAddress: 100 },
    {
      ...{ desk, authority, trustDomain, revoked, accepts: new Accepts(100, Date.now), linked },
      connected: () => assert.fail('no connector dials'),
      record: async () => undefined,
      refused: async (event) => {
        const name = 'connector' in event ? event.connector?.name : undefined;
        refused.push(name === undefined ? event.code : `${event.code} of ${name}`);
      },
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `https://localhost:${(server.address() as AddressInfo).port}`;
  const now = (): number => Date.now() + self.ahead;
  const peers = new Peers({
    ...{ store, authority, trustDomain, now, name: 'edge-1', address: 'https://localhost:1', log: QUIET },
    clock: () => 0,
    offers: () => [{ app: 'wiki', certificate: undefined }],
    choose: () => undefined,
  });
  const self: Bed = { address, authority, tunnels, peers, dialled, refused, ahead: 0 };
  await store.put('presence', 'other', { name: 'edge-2', address, at: 1 }, Date.now() + 3 * 86_400_000);
  t.after(async () => {
    await peers.stop();
    await tunnels.drain(0);
    server.closeAllConnections();
    server.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return self;
}

/** Looks once, and lets in what was dialled. */
async function linkUp({ peers, dialled }: Bed, count: number): Promise<void> {
  const looked = peers.look();
  while (dialled.length < count) await new Promise((resolve) => setImmediate(resolve));
  dialled[count - 1]?.();
  await looked;
}

test('a link is replaced when two thirds of its certificate’s life are over, and not before', async (t) => {
  const two = await bed(t);
  await linkUp(two, 1);
  assert.ok(two.tunnels.available('wiki'));
  two.ahead = 15 * 3_600_000;
  await two.peers.look();
  assert.equal(two.dialled.length, 1);
  two.ahead = 16 * 3_600_000 + 60_000;
  await linkUp(two, 2);
  await two.peers.look();
  assert.equal(two.dialled.length, 2, 'the new one has a life of its own');
  assert.ok(two.tunnels.available('wiki'));
});

test('a link takes requests until the one that replaces it was welcomed', async (t) => {
  const two = await bed(t);
  await linkUp(two, 1);
  two.ahead = 17 * 3_600_000;
  const looked = two.peers.look();
  while (two.dialled.length < 2) await new Promise((resolve) => setImmediate(resolve));
  // Whatever the first was told by the time the second speaks has been heard.
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(two.tunnels.available('wiki'));
  two.dialled[1]?.();
  await looked;
  assert.ok(two.tunnels.available('wiki'));
});

test('a certificate that was revoked makes no link', async (t) => {
  let struck = '';
  let known = true;
  const { address, authority, refused } = await bed(t, (serial) => {
    if (!known) throw new Error('not known');
    return serial === struck;
  });
  const uri = `spiffe://${trustDomain}/gateway/edge-1`;
  const peer = await authority.issuePeer(uri, 60_000);
  const identity = { ...peer, ca: authority.bundle, notBefore: Date.now() };
  const ask = (): Promise<string> =>
    dial(new URL(address), identity, RELAY_PATH).then(
      (ws) => {
        t.after(() => ws.terminate());
        return 'open';
      },
      (error: unknown) => (error instanceof DialError ? error.message : String(error)),
    );
  assert.equal(await ask(), 'open');
  known = false;
  assert.match(await ask(), /answered 503/);
  known = true;
  assert.deepEqual(refused, []);
  struck = peer.serial;
  assert.match(await ask(), /answered 403/);
  assert.deepEqual(refused, ['certificate-revoked of gateway/edge-1']);
});

test('whoever is no gateway of the installation makes no link, and is recorded', async (t) => {
  const { address, authority, refused } = await bed(t);
  const elsewhere = mkdtempSync(join(tmpdir(), 'sallyport-elsewhere-'));
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  const other = await openAuthority(elsewhere, 'Other', Date.now);
  const ask = async (issuer: Authority, path: string): Promise<void> => {
    const peer = await issuer.issuePeer(`spiffe://${trustDomain}/${path}`, 60_000);
    const identity = { ...peer, ca: authority.bundle, notBefore: Date.now() };
    await assert.rejects(dial(new URL(address), identity, RELAY_PATH), /answered 403/);
  };
  await ask(authority, 'connector/berlin-1');
  await ask(other, 'gateway/edge-1');
  assert.deepEqual(refused, ['certificate-name', 'certificate-untrusted']);
});
