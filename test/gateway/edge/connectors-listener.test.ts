// The listener that connectors dial: a tunnel beyond what is taken a second is turned away and told so in words, and so is
// one whose certificate has ended.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dial } from '#connectors/link/dial';
import { enrol, renew } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { readToken } from '#connectors/link/token';
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

/** A listener of its own authority, and a way to enrol there. */
async function listening(
  t: TestContext,
  more: { readonly accepts?: Accepts; readonly certificateLife?: number; readonly tunnels?: Tunnels } = {},
): Promise<{ gateway: URL; identity: Identity; taken: () => number; refusals: Refused[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-accepts-'));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const store = openEmbeddedStore(join(directory, 'state'), Date.now);
  const trustDomain = 'sallyport.internal';
  const { certificateLife = 3_600_000, accepts = new Accepts(100, Date.now), tunnels } = more;
  const desk = new EnrolmentDesk({ store, authority, trustDomain, certificateLife, now: Date.now });
  const refusals: Refused[] = [];
  let taken = 0;
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  const limits = { connections: 1000, perAddress: 1000 };
  const server = connectorsListener({ cert, key }, limits, {
    ...{ desk, authority, trustDomain, accepts },
    connected: (ws, { name, certificate: { serial, notAfter } }) => {
      taken += 1;
      t.after(() => ws.terminate());
      const apps = new Set(['wiki']);
      tunnels?.accept(ws, { connector: name, apps, address: '127.0.0.1', serial, notAfter });
    },
    record: async () => undefined,
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
  return { gateway, identity, taken: () => taken, refusals };
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

test('tunnels beyond the rate are turned away with 503, and taken when there is room again', async (t) => {
  let now = 0;
  const { gateway, identity, taken } = await listening(t, { accepts: new Accepts(2, () => now) });
  const ask = (): Promise<string> => dialled(t, gateway, identity);
  assert.deepEqual([await ask(), await ask()], ['open', 'open']);
  assert.match(await ask(), /answered 503: it takes no more tunnels at this moment/);
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
  assert.match(await dialled(t, gateway, identity), /answered 403: .* has expired, enrol again/);
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
