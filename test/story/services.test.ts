// Services reach apps by what they can prove themselves: certificates of trust domains, tokens of issuers. Each is
// decided, recorded and carried like a person, and no proof is good for somebody else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Agent, fetch } from 'undici';
import { localhostAwareLookup } from '#connectors/wire/outbound';
import {
  authority,
  CLIENT,
  certify,
  type Holder,
  keyPem,
  newKeys,
  pemOf,
} from '../gateway/identity/service-certificates.ts';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

const API = 'spiffe://prod.example/api';
const BATCH = 'spiffe://prod.example/batch';

const RULES = `version: 1
zone: UTC
apps: [wiki, vault, ledger, drop, mirror, spare]
rules:
  - { id: api-wiki, allow: wiki, who: "service:${API}", paths: ["/**"], methods: [GET] }
  - { id: api-drop, allow: drop, who: "service:${API}" }
  - { id: ci-wiki, allow: wiki, who: "service:ci:acme/*", paths: ["/**"], methods: [GET] }
  - { id: fresh, allow: vault, who: "service:${API}", when: { mfa: 15m } }
`;

interface Asked {
  readonly status: number;
  readonly body: string;
  readonly code: string | undefined;
}

test('services prove themselves, and are decided and recorded like people', {
  skip: requires(...NEEDS),
}, async (t) => {
  const step = stepsOf(t);
  const now = Date.now();
  const root = await authority('Prod root', now);
  const issuing = await authority('Prod issuing', now, root);
  const foreign = await authority('Test root', now);
  const service = async (id: string, issuer: Holder): Promise<Holder> =>
    certify('service', await newKeys(), issuer, { uris: [id], purposes: [CLIENT], ca: false }, now);
  const keys = await generateKeyPair('ES256');
  const jwk = await exportJWK(keys.publicKey);
  const [port = 0] = await freePorts(1);
  const installation = await StoryInstallation.start(t, {
    further: `services:
  listen: 127.0.0.1:${port}
  trustDomains:
    - { name: prod.example, bundle: ./prod.pem }
    - { name: test.example, bundle: ./test.pem }
  issuers:
    - { name: ci, issuer: "https://ci.example", audiences: [sallyport], keys: ./ci.json, algorithms: [ES256], subject: "{repository}" }
`,
    prepare: (directory) => {
      const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
      write('prod.pem', pemOf(root));
      write('test.pem', pemOf(foreign));
      write('ci.json', JSON.stringify({ keys: [{ ...jwk, kid: 'ci-1', alg: 'ES256' }] }));
      write('policy.yaml', RULES);
    },
  });
  const agents: Agent[] = [];
  installation.atEnd(() => Promise.all(agents.map((agent) => agent.destroy())));

  async function client(shown: readonly Holder[]): Promise<Agent> {
    const [leaf] = shown;
    const own = leaf === undefined ? {} : { cert: shown.map(pemOf).join(''), key: await keyPem(leaf) };
    const agent = new Agent({ connect: { ca: installation.ca, lookup: localhostAwareLookup, ...own } });
    agents.push(agent);
    return agent;
  }

  async function ask(
    dispatcher: Agent,
    app: string,
    {
      path = '/',
      method = 'GET',
      headers = {},
    }: { path?: string; method?: string; headers?: Record<string, string> } = {},
  ): Promise<Asked> {
    const reply = await fetch(`https://${app}.localhost:${port}${path}`, { dispatcher, method, headers });
    const body = await reply.text();
    const code = /"code":"([a-z-]+)"/.exec(body)?.[1];
    return { status: reply.status, body, code };
  }

  const token = (claims: Record<string, unknown>, life = '5m'): Promise<string> =>
    new SignJWT({ repository: 'acme/shop', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'ci-1' })
      .setIssuer('https://ci.example')
      .setAudience('sallyport')
      .setSubject('job-1')
      .setIssuedAt()
      .setExpirationTime(life)
      .sign(keys.privateKey);

  const api = await client([await service(API, issuing), issuing]);
  const nobody = await client([]);

  await step('with a certificate of its trust domain a service reaches what a rule opens to it', async () => {
    const { status, body } = await ask(api, 'wiki');
    assert.deepEqual([status, /Served by nginx/.test(body)], [200, true]);
    const [decided] = installation.events().filter(({ event }) => event.action === 'access-allowed');
    assert.equal(decided?.user?.id, API);
  });

  await step('and nothing else: other methods, other apps, what asks for a second factor', async () => {
    assert.equal((await ask(api, 'wiki', { method: 'POST' })).status, 403);
    assert.equal((await ask(api, 'ledger')).status, 403);
    assert.equal((await ask(api, 'vault')).status, 403);
    const denied = installation.events().filter(({ event }) => event.action === 'access-denied');
    assert.equal(denied.length, 3, 'each is recorded');
  });

  await step('the app hears of it in the assertion, and sees no token that was for the gateway', async () => {
    const bearer = { Authorization: `Bearer ${await token({})}` };
    assert.equal((await ask(nobody, 'wiki', { headers: bearer })).status, 200);
    const { status } = await ask(api, 'drop', { path: '/seen', headers: { Authorization: 'Basic app' } });
    assert.notEqual(status, 401, 'the receiver verified the assertion');
    const seen = installation.receiver.seen.find(({ line }) => line.includes('/seen'));
    const header = (name: string): string =>
      seen?.headers[seen.headers.findIndex((one) => one.toLowerCase() === name) + 1] ?? '';
    const claims = decodeJwt(header('x-sallyport-assertion'));
    assert.deepEqual([claims.sub, claims['auth_time'], claims['email']], [API, undefined, undefined]);
    assert.equal(header('authorization'), 'Basic app', 'with a certificate it is the app’s');
  });

  for (const [what, shown, code] of [
    [
      'the same name from another trust domain',
      async () => [await service(API, foreign)],
      'certificate-chain',
    ],
    [
      'a name of a trust domain nobody knows',
      async () => [await service('spiffe://x.example/api', issuing), issuing],
      'certificate-trust-domain',
    ],
    [
      'a certificate without its intermediate',
      async () => [await service(API, issuing)],
      'certificate-chain',
    ],
    ['no certificate and no token', async () => [], 'token-missing'],
  ] as const) {
    await step(`${what}: 401, ${code}, recorded`, async () => {
      const answer = await ask(await client(await shown()), 'wiki');
      assert.deepEqual([answer.status, answer.code], [401, code]);
      assert.equal(installation.events().at(-1)?.event.code, code);
    });
  }

  await step('another service of the same domain is known, and denied', async () => {
    const batch = await client([await service(BATCH, issuing), issuing]);
    assert.equal((await ask(batch, 'wiki')).status, 403);
  });

  await step(
    'a token of another repository is denied, one that lives too long is not even looked at',
    async () => {
      const bearer = async (claims: object, life?: string): Promise<Record<string, string>> => ({
        Authorization: `Bearer ${await token({ ...claims }, life)}`,
      });
      assert.equal(
        (await ask(nobody, 'wiki', { headers: await bearer({ repository: 'evil/shop' }) })).status,
        403,
      );
      const long = await ask(nobody, 'wiki', { headers: await bearer({}, '3d') });
      assert.deepEqual([long.status, long.code], [401, 'token-life']);
    },
  );

  await step('a page in a browser cannot use a certificate that lies there', async () => {
    const { status, code } = await ask(api, 'wiki', { headers: { Origin: 'https://evil.example' } });
    assert.deepEqual([status, code], [403, 'browser']);
  });

  await step('the portal, and our own pages on an app, are not for services', async () => {
    assert.equal((await ask(api, 'access')).status, 421);
    assert.equal((await ask(api, 'wiki', { path: '/.sallyport/enter?code=x' })).status, 403);
  });

  await step('a revoked service is denied, also with a certificate made anew', async () => {
    const words = ['revoke', 'service', API, '--config', 'gateway.yaml'];
    const { code, output } = await installation.sallyport(...words);
    assert.equal(code, 0, output);
    assert.equal((await ask(api, 'wiki')).status, 403);
    const fresh = await client([await service(API, issuing), issuing]);
    assert.equal((await ask(fresh, 'wiki')).status, 403);
    assert.equal(installation.events().at(-1)?.event.code, 'revoked');
  });
});
