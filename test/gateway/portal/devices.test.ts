// What becomes of one command line's token that two machines bring at the same time.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeEvidence } from '#connectors/wire/evidence';
import type { DeviceDesk, Presented } from '#gateway/attest/desk';
import { Proofs } from '#gateway/identity/dpop';
import type { LiveSession } from '#gateway/identity/live-session';
import { Sessions } from '#gateway/identity/sessions';
import { CLI_DOOR, Terminals } from '#gateway/identity/terminal';
import { devicesApp } from '#gateway/portal/devices';
import { openEmbeddedStore } from '#gateway/state/embedded';

const NOW = Date.UTC(2026, 5, 1);
const ORIGIN = 'https://access.example.com';
const ADDRESS = '192.0.2.1';
const directory = mkdtempSync(join(tmpdir(), 'sallyport-devices-'));
const store = openEmbeddedStore(join(directory, 'state'), () => NOW);
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const sessions = new Sessions(
  store,
  { idle: 3_600_000, absolute: 36_000_000 },
  () => NOW,
  async () => undefined,
);
const told: string[] = [];
/** What happens between the record of a binding and the binding. */
let meanwhile: () => Promise<void>;
/** Of machines whose evidence is good. */
const desk = {
  attest: async ({ evidence: { device } }: Presented) => ({
    ...{ device, authentic: true, status: 'affirming', reasons: [], expiresAt: NOW + 60_000 },
    ...{ keyThumbprint: `key of ${device}`, boot: '4.0' },
  }),
  find: async (device: string) => ({ device, name: device, state: 'approved' }),
  bound: async (_channel: string, { bond }: LiveSession) => {
    told.push(`${bond?.device} bound`);
    await meanwhile();
  },
  refused: async (_channel: string, code: string, { device }: { device?: string }) =>
    void told.push(`${device} ${code}`),
} as unknown as DeviceDesk;
const terminals = new Terminals(sessions, new Proofs(store, () => NOW));
const app = devicesApp({ origin: ORIGIN, desk, terminals, sessions, store });

async function attest(device: string, token: string): Promise<unknown> {
  const some = Buffer.alloc(32);
  const evidence = {
    ...{ device, nonce: some, quoted: some, signature: some, pcrs: [], eventLog: some },
    key: { public: some, certifyInfo: some, certifySignature: some },
  };
  const reply = await app.fetch(
    new Request(`${ORIGIN}/attest`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: encodeEvidence(evidence),
    }),
    { client: { address: ADDRESS }, network: { address: ADDRESS }, exporter: () => some },
  );
  assert.equal(reply.status, 200, await reply.clone().text());
  return ((await reply.json()) as { bound?: boolean }).bound;
}

/** Each waits until both have come so far. */
function both(): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  return () => {
    if (told.length === 2) resolve();
    return promise;
  };
}

async function signedIn(): Promise<string> {
  told.length = 0;
  const subject = { kind: 'user', id: 'idp#ada', groups: [], roles: [] } as const;
  const session = await sessions.start(subject, { provider: 'idp', at: NOW }, ADDRESS);
  return sessions.doors.open(session, CLI_DOOR);
}

test('the sign-in is one machine’s, and of the other one the record says so, too', async () => {
  const token = await signedIn();
  meanwhile = both();
  const bound = await Promise.all([attest('laptop', token), attest('thief', token)]);
  assert.deepEqual(bound.toSorted(), [false, true]);
  const holder = (await sessions.find(token, CLI_DOOR))?.bond?.device;
  const other = holder === 'laptop' ? 'thief' : 'laptop';
  assert.deepEqual(
    told.toSorted().slice(0, 3),
    ['laptop bound', `${other} other-device`, 'thief bound'].toSorted(),
  );
  assert.equal(told.length, 3);
});

test('one machine that comes twice is bound, and no stranger', async () => {
  const token = await signedIn();
  meanwhile = both();
  assert.deepEqual(await Promise.all([attest('laptop', token), attest('laptop', token)]), [true, true]);
  assert.deepEqual(told, ['laptop bound', 'laptop bound']);
});

test('whoever was signed out meanwhile is refused by that alone', async () => {
  const token = await signedIn();
  meanwhile = () => sessions.doors.close(token);
  assert.equal(await attest('laptop', token), false);
  assert.deepEqual(told, ['laptop bound']);
});
