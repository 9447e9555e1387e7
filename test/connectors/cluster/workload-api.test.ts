// What a SPIFFE agent says becomes what apps are shown and whom they are: from the first word through every rotation,
// and not lost when the agent goes away.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { AppTarget } from '#connectors/cluster/app';
import { readClientCertificate } from '#connectors/cluster/client-certificate';
import { TargetError, Targets } from '#connectors/cluster/targets';
import { WorkloadApi, type WorkloadIdentity } from '#connectors/cluster/workload-api';
import { readSvids } from '#connectors/cluster/workload-message';
import {
  authority,
  CLIENT,
  certify,
  type Holder,
  keyPem,
  newKeys,
  pemOf,
} from '#test/gateway/identity/service-certificates';
import { until } from '#test/story/part';
import { field, svids, WorkloadAgent } from './workload-agent.ts';

const RACK = 'spiffe://prod.example/rack';
const now = Date.now();
const root = await authority('Prod', now);
const issuing = await authority('Issuing', now, root);
const partner = await authority('Partner', now);

/** `federated`: what else the agent vouches for. */
async function answer(
  federated: Record<string, readonly Holder[]> = { 'spiffe://partner.example': [partner, root] },
): Promise<Buffer> {
  const leaf = await certify('rack', await newKeys(), issuing, { uris: [RACK], purposes: [CLIENT] }, now);
  return svids(RACK, [leaf, issuing], [root], federated);
}

async function agentWith(t: TestContext, first: Buffer | number): Promise<WorkloadAgent> {
  const agent = await new WorkloadAgent(first).start();
  t.after(() => agent.remove());
  return agent;
}

function listen(t: TestContext, { socket }: WorkloadAgent): { got: WorkloadIdentity[]; said: string[] } {
  const [got, said]: [WorkloadIdentity[], string[]] = [[], []];
  const say = (_fields: object, message: string): void => void said.push(message);
  const log = { info: () => {}, warn: say, error: say };
  const api = new WorkloadApi({ socket, log, random: () => 0.01, onUpdate: (one) => void got.push(one) });
  t.after(() => api.stop());
  return { got, said };
}

const count = (pem: string | undefined): number => pem?.match(/BEGIN CERTIFICATE/g)?.length ?? 0;

test('the first word, and each that follows on the same call', async (t) => {
  const agent = await agentWith(t, await answer());
  const { got } = listen(t, agent);
  await until('the first', () => got.length === 1);
  assert.deepEqual(agent.calls, ['/SpiffeWorkloadAPI/FetchX509SVID true']);
  const [first] = got;
  assert.equal(first?.spiffeId, RACK);
  assert.deepEqual([count(first?.client.cert), first?.client.cert.startsWith(pemOf(issuing))], [2, false]);
  assert.equal(first?.bundles.get('prod.example')?.replaceAll(/\s/g, ''), pemOf(root).replaceAll(/\s/g, ''));
  assert.equal(count(first?.bundles.get('partner.example')), 2);
  agent.send(await answer());
  await until('the next', () => got.length === 2);
  assert.notEqual(got[1]?.client.thumbprint, first?.client.thumbprint);
  assert.equal(agent.calls.length, 1);
});

test('a process that the agent does not know asks on, and says why', async (t) => {
  const agent = await agentWith(t, 7);
  const { got, said } = listen(t, agent);
  await until('asked again', () => agent.calls.length > 1);
  assert.match(said[0] ?? '', /no identity for this process; is there a registration entry/);
  agent.answer = await answer();
  await until('known', () => got.length === 1);
});

test('an agent that goes away and comes back', async (t) => {
  const agent = await agentWith(t, await answer());
  const { got, said } = listen(t, agent);
  await until('the first', () => got.length === 1);
  await agent.stop();
  await until('missed', () => said.some((line) => /ENOENT|ECONNREFUSED/.test(line)));
  assert.equal(got.length, 1);
  await agent.start();
  await until('back', () => got.length === 2);
});

test('apps are served once the agent has spoken, and shown what it says from then on', async (t) => {
  const agent = await agentWith(t, await answer());
  const changes: Readonly<Record<string, AppTarget | undefined>>[] = [];
  const app = { url: 'https://10.0.0.1', headTimeout: 1 };
  const targets = new Targets({
    apps: {
      plain: { url: 'http://10.0.0.1', headTimeout: 1 },
      both: { ...app, client: 'workload', spiffeId: 'spiffe://prod.example/storage' },
      other: { ...app, spiffeId: 'spiffe://partner.example/storage' },
      nobody: { ...app, spiffeId: 'spiffe://unknown.example/storage' },
    },
    ...{
      workloadApi: agent.socket,
      now: Date.now,
      random: () => 0,
      onChange: (one) => void changes.push(one),
    },
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  t.after(() => targets.stop());
  assert.deepEqual(Object.keys(targets.current), ['plain']);
  await until('the first', () => changes.length === 1);
  const [first] = changes;
  const served = (one: (typeof changes)[number] = {}): string[] =>
    Object.keys(one).filter((id) => one[id] !== undefined);
  assert.deepEqual(served(first), ['both', 'other']);
  assert.deepEqual(
    [count(first?.['both']?.ca), count(first?.['other']?.ca)],
    [1, 2],
    'each by its own trust domain',
  );
  assert.ok(first?.['both']?.client !== undefined && first['other']?.client === undefined);
  agent.send(await answer());
  await until('the next', () => changes.length === 2);
  // TLS would take an empty bundle for that of the system.
  for (const [said, federated] of [{}, { 'spiffe://partner.example': [] }].entries()) {
    agent.send(await answer(federated));
    await until('one without the partner', () => changes.length === 3 + said);
    assert.deepEqual(served(changes.at(-1)), ['both']);
    assert.ok('other' in (changes.at(-1) ?? {}), 'what was served of the other is taken away');
  }
});

test('an authority that holds none is refused at the start', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-targets-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const ca = join(directory, 'ca.pem');
  const app = { url: 'https://10.0.0.1', headTimeout: 1, ca };
  for (const text of ['', 'none', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
    writeFileSync(ca, text);
    assert.throws(
      () =>
        new Targets({
          ...{ apps: { app }, now: Date.now, random: () => 0, onChange: () => {} },
          log: { info: () => {}, warn: () => {}, error: () => {} },
        }),
      /ca\.pem holds no certificate in PEM/,
    );
  }
});

test('an app that is believed by the agent’s bundle may be shown a certificate in files', async (t) => {
  const agent = await agentWith(t, await answer());
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-targets-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const client = { certificate: join(directory, 'c.pem'), key: join(directory, 'c.key') };
  const write = async (): Promise<string> => {
    const one = await certify('one', await newKeys(), root, { uris: [RACK], purposes: [CLIENT] }, now);
    writeFileSync(client.certificate, pemOf(one));
    writeFileSync(client.key, await keyPem(one));
    return readClientCertificate(client).thumbprint;
  };
  const first = await write();
  t.mock.timers.enable({ apis: ['setInterval'] });
  const changes: (AppTarget | undefined)[] = [];
  const spiffeId = 'spiffe://prod.example/storage';
  const targets = new Targets({
    apps: { app: { url: 'https://10.0.0.1', headTimeout: 1, spiffeId, client } },
    ...{ workloadApi: agent.socket, now: Date.now, random: () => 0 },
    onChange: ({ app }) => void changes.push(app),
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  t.after(() => targets.stop());
  await until('the first word', () => changes.length > 0);
  assert.deepEqual([count(changes[0]?.ca), changes[0]?.client?.thumbprint], [1, first]);
  const second = await write();
  t.mock.timers.tick(5_000);
  assert.deepEqual([count(changes.at(-1)?.ca), changes.at(-1)?.client?.thumbprint], [1, second]);
});

test('a trust domain without an authority vouches for nobody', async (t) => {
  const leaf = await certify('rack', await newKeys(), issuing, { uris: [RACK], purposes: [CLIENT] }, now);
  const agent = await agentWith(t, await svids(RACK, [leaf, issuing], [root], { 'empty.example': [] }));
  const { got } = listen(t, agent);
  await until('the first', () => got.length === 1);
  assert.deepEqual([...(got[0]?.bundles.keys() ?? [])], ['prod.example']);
});

test('an authority in a file that holds none is refused', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-authority-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const ca = join(directory, 'ca.pem');
  writeFileSync(ca, '');
  const nothing = (): void => {};
  const log = { info: nothing, warn: nothing, error: nothing };
  const apps = { vault: { url: 'https://10.0.0.1', headTimeout: 1, ca } };
  assert.throws(
    () => new Targets({ apps, log, now: Date.now, random: () => 0, onChange: nothing }),
    (error) => error instanceof TargetError && error.message === `${ca} holds no certificate in PEM`,
  );
});

test('bytes that are no answer end the call, and are asked for again', async (t) => {
  const good = await answer();
  const der = (holder: Holder): Buffer => Buffer.from(holder.certificate.rawData);
  for (const [what, bytes] of [
    ['cut short', good.subarray(0, good.length - 9)],
    ['a group', Buffer.from([11])],
    ['a number without end', Buffer.alloc(20, 0xff)],
    ['an SVID without its key', field(1, field(1, RACK), field(2, der(root)), field(4, der(root)))],
    ['a certificate that is cut', field(3, field(1, 'a'), field(2, der(root).subarray(0, 100)))],
    ['no certificate', field(3, field(1, 'a'), field(2, 'text'))],
    ['one of indefinite length', field(3, field(1, 'a'), field(2, Buffer.from([0x30, 0x80, 0, 0])))],
  ] as const) {
    assert.throws(() => readSvids(bytes), { code: 'workload-message' }, what);
  }
  assert.deepEqual(readSvids(Buffer.alloc(0)).svids, []);
  const agent = await agentWith(t, good.subarray(0, good.length - 9));
  const { said } = listen(t, agent);
  await until('asked again', () => agent.calls.length > 1);
  assert.match(said[0] ?? '', /it ends in the middle/);
});
