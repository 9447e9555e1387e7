// What proving who asks costs: assertions signed, certificates issued, chains and tokens of services verified, and
// whole requests of a service over mutual TLS.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Agent } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import { ServiceTokens } from '#gateway/identity/service-tokens';
import { TrustDomains } from '#gateway/identity/svid';
import { openAuthority } from '#gateway/pki/authority';
import { openEmbeddedStore } from '#gateway/state/embedded';
import {
  authority,
  CLIENT,
  certify,
  derOf,
  keyPem,
  newKeys,
  pemOf,
} from '#test/gateway/identity/service-certificates';
import { CONTEXT, signerOf } from '#test/gateway/pki/signing';
import { requestFor } from '#test/gateway/pki/signing-request';
import { StoryInstallation } from '#test/story/installation';
import { freePorts } from '#test/story/ports';
import { type BenchOptions, type BenchReport, median, rounded, tableOf } from './report.ts';

const SLICE_MS = 400;
const ROUNDS = 5;
const REQUEST_ROUND_MS = 2000;
const CONNECTIONS = 16;
const ID = 'spiffe://prod.example/api';
const POLICY = `version: 1
zone: UTC
groups: { engineering: { members: ["corp:engineering"] } }
apps: [wiki, vault, ledger, drop, mirror, spare]
rules:
  - { id: api, allow: wiki, who: "service:${ID}" }
  - { id: people-wiki, allow: wiki, who: engineering }
  - { id: people-drop, allow: drop, who: engineering }
`;

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-bench-services-'));
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const figures: Record<string, number> = {};
    for (const [name, one] of Object.entries(await work(place, undo))) {
      progress(name);
      const rounds: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) rounds.push(await perCpuSecond(one));
      figures[name] = rounded(median(rounds));
    }
    progress('mtls_rps, token_exchange_per_s');
    for (const [name, value] of Object.entries(await requests(undo))) figures[name] = rounded(value);
    const rows = Object.entries(figures).map(([name, value]) => [name, String(value)]);
    return { versions: {}, figures, table: tableOf([['', 'measured'], ...rows]) };
  } finally {
    for (const step of undo.reverse()) await step();
    rmSync(place, { recursive: true, force: true });
  }
}

/** What is counted, once each. */
async function work(
  place: string,
  undo: (() => Promise<unknown>)[],
): Promise<Readonly<Record<string, () => unknown>>> {
  const now = Date.now();
  const store = openEmbeddedStore(join(place, 'state'), Date.now);
  undo.push(() => store.close());
  const signer = await signerOf(store, { time: now, now: Date.now });
  const bound = { ...CONTEXT, wishes: { bind: 'request' } } as const;
  const ca = await openAuthority(join(place, 'ca'), 'Bench', Date.now);
  const csr = await requestFor();
  const root = await authority('Root', now);
  const issuing = await authority('Issuing', now, root);
  const leaf = await certify('api', await newKeys(), issuing, { uris: [ID], purposes: [CLIENT] }, now);
  const domains = new TrustDomains([{ name: 'prod.example', bundle: [derOf(root)], below: '/' }]);
  const shown = [leaf, issuing].map(derOf);
  const { tokens, token } = await serviceToken();
  return {
    assertion_sign_per_s: () => signer.assertion(bound),
    issue_per_s: () =>
      ca.issueClient({ csr, uri: ID, life: 3_600_000, grant: { kind: 'admin', id: 'bench' } as const }),
    svid_verify_per_s: () => domains.verify(shown, now),
    service_token_per_s: () => tokens.verify(token),
  };
}

async function serviceToken(): Promise<{ tokens: ServiceTokens; token: string }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] });
  const issuer = {
    name: 'ci',
    issuer: 'https://ci.example',
    audiences: ['sallyport'],
    algorithms: ['ES256'],
  };
  const tokens = new ServiceTokens(
    [{ ...issuer, require: {}, subject: '{sub}', maxLife: 3_600_000, keys }],
    Date.now,
  );
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer(issuer.issuer)
    .setAudience('sallyport')
    .setSubject('job')
    .setIssuedAt()
    .setExpirationTime('30m')
    .sign(privateKey);
  return { tokens, token };
}

/** A second of this process's CPU time, all threads, so that a busy machine changes little. */
async function perCpuSecond(one: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  const until = performance.now() + SLICE_MS;
  let count = 0;
  while (performance.now() < until) {
    for (let batch = 0; batch < 20; batch += 1) await one();
    count += 20;
  }
  const { user, system } = process.cpuUsage(before);
  return (count * 1e6) / (user + system);
}

/** Requests a second of wall-clock time through a whole installation, on connections of one service. */
async function requests(undo: (() => Promise<unknown>)[]): Promise<Readonly<Record<string, number>>> {
  const now = Date.now();
  const root = await authority('Root', now);
  const leaf = await certify('api', await newKeys(), root, { uris: [ID], purposes: [CLIENT] }, now);
  const [port = 0] = await freePorts(1);
  const installation = await StoryInstallation.start(
    { after: (step) => undo.push(step) },
    {
      further: `services:\n  listen: 127.0.0.1:${port}\n  trustDomains: [{ name: prod.example, bundle: ./prod.pem }]\n`,
      prepare: (directory) => {
        const gateway = join(directory, 'gateway.yaml');
        const text = readFileSync(gateway, 'utf8');
        const passesOn = `host: drop.localhost, assertion: { exchange: ["${ID}"] }`;
        writeFileSync(gateway, text.replace('host: drop.localhost', passesOn));
        writeFileSync(join(directory, 'prod.pem'), pemOf(root));
        writeFileSync(join(directory, 'policy.yaml'), POLICY);
      },
    },
  );
  const agent = new Agent({
    connections: CONNECTIONS,
    connect: {
      ca: installation.ca,
      lookup: localhostAwareLookup,
      cert: pemOf(leaf),
      key: await keyPem(leaf),
    },
  });
  undo.push(() => agent.destroy());
  const ask = async (): Promise<void> => {
    const { statusCode, body } = await agent.request({
      origin: `https://wiki.localhost:${port}`,
      path: '/empty',
      method: 'GET',
    });
    await body.dump();
    if (statusCode !== 204) throw new Error(`the service was answered with ${statusCode}`);
  };
  const visitor = installation.visitor();
  const drop = installation.originOf('drop');
  await visitor.signIn(`${drop}/`, 'ada', 'password');
  /** What the app was told of the person; good for a minute, and longer than a round. */
  const assertion = async (): Promise<string> => {
    const { headers } = JSON.parse((await visitor.ask(`${drop}/`)).body) as { headers: string[] };
    return headers[headers.indexOf('X-Sallyport-Assertion') + 1] ?? '';
  };
  const exchange = async (): Promise<() => Promise<void>> => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await assertion(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'wiki',
    }).toString();
    return async () => {
      const { statusCode, body } = await agent.request({
        ...{ origin: `https://access.localhost:${port}`, path: '/oauth2/token', method: 'POST', body: form },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
      const said = await body.text();
      if (statusCode !== 200) throw new Error(`the exchange was answered with ${statusCode}: ${said}`);
    };
  };
  return {
    mtls_rps: await perSecond(async () => ask),
    token_exchange_per_s: await perSecond(exchange),
  };
}

/** The median of three rounds after one that does not count; `prepare` makes what each is about. */
async function perSecond(prepare: () => Promise<() => Promise<void>>): Promise<number> {
  const round = async (): Promise<number> => {
    const one = await prepare();
    const begun = performance.now();
    const until = begun + REQUEST_ROUND_MS;
    let count = 0;
    const worker = async (): Promise<void> => {
      while (performance.now() < until) {
        await one();
        count += 1;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    return (count * 1000) / (performance.now() - begun);
  };
  await round();
  return median([await round(), await round(), await round()]);
}
