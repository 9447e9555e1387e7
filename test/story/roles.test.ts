// Everybody at every door: each kind of credential is shown at each kind of address, in every way it can be shown, and
// opens exactly what it is for. Nothing that is for admins answers on a listener at all.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { requires } from '../requires.ts';
import { POLICY } from './documents.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { freePorts } from './ports.ts';
import { stepsOf } from './steps.ts';

/** What somebody shows with every request. */
interface Role {
  readonly headers?: Readonly<Record<string, string>>;
  readonly certificate?: { readonly cert: string; readonly key: string };
}

interface Door {
  readonly what: string;
  readonly at: 'people' | 'services' | 'connectors';
  readonly host: string;
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly upgrade?: true;
  /** Who gets in, with the status that says so. Everybody else gets one of `closed`. */
  readonly open: Readonly<Record<string, number>>;
  readonly closed: readonly number[];
}

const portal = { at: 'people', host: 'access.localhost' } as const;
const wiki = { host: 'wiki.localhost' } as const;
const connectors = { at: 'connectors', host: 'localhost' } as const;
const DOORS: readonly Door[] = [
  { what: 'a person’s page', ...portal, path: '/', open: { person: 200 }, closed: [302] },
  { what: 'an app', at: 'people', ...wiki, path: '/', open: { 'app session': 200 }, closed: [401] },
  { what: 'another app', at: 'people', host: 'vault.localhost', path: '/', open: {}, closed: [401] },
  // There is no such app: only who is known is told so.
  {
    what: 'a terminal’s tunnel',
    ...portal,
    path: '/connect/db',
    upgrade: true,
    open: { terminal: 403 },
    closed: [401],
  },
  { what: 'an approval', ...portal, method: 'POST', path: '/cli', open: {}, closed: [400] },
  { what: 'a token', ...portal, method: 'POST', path: '/cli/token', open: {}, closed: [400] },
  {
    what: 'a device’s evidence',
    ...portal,
    method: 'POST',
    path: '/device/attest',
    open: {},
    closed: [400, 401],
  },
  { what: 'an app, as a service', at: 'services', ...wiki, path: '/', open: { service: 200 }, closed: [401] },
  {
    what: 'another app, as a service',
    at: 'services',
    host: 'vault.localhost',
    path: '/',
    open: { service: 403 },
    closed: [401],
  },
  {
    what: 'the portal, as a service',
    at: 'services',
    host: 'access.localhost',
    path: '/',
    open: {},
    closed: [421],
  },
  {
    what: 'a tunnel',
    ...connectors,
    path: '/v1/tunnel',
    upgrade: true,
    open: { connector: 101 },
    closed: [403],
  },
  { what: 'a link of gateways', ...connectors, path: '/v1/relay', upgrade: true, open: {}, closed: [403] },
  {
    what: 'a renewal',
    ...connectors,
    method: 'POST',
    path: '/v1/renew',
    open: { connector: 400 },
    closed: [401],
  },
  { what: 'an enrolment', ...connectors, method: 'POST', path: '/v1/enrol', open: {}, closed: [400] },
  ...(['people', 'services', 'connectors'] as const).flatMap((at): Door[] => {
    const host = at === 'people' ? portal.host : at === 'services' ? wiki.host : connectors.host;
    const closed = at === 'people' ? [404] : at === 'services' ? [401] : [404];
    // A service is asked what it wants of the app, as of any path of it.
    const open: Record<string, number> = at === 'services' ? { service: 404 } : {};
    return ['/v1/status', '/v1/sessions', '/metrics', '/readyz'].map((path) => ({
      ...{ what: `${path} on the listener for ${at}`, at, host, path, open, closed },
    }));
  }),
  { what: 'a revocation', ...portal, method: 'POST', path: '/v1/revocations', open: {}, closed: [404] },
  { what: 'a policy', ...connectors, method: 'POST', path: '/v1/policy/reload', open: {}, closed: [404] },
];

test('everybody at every door', { skip: requires(...NEEDS), timeout: 120_000 }, async (t) => {
  const step = stepsOf(t);
  const [services = 0] = await freePorts(1);
  const keys = await generateKeyPair('ES256');
  const jwk = await exportJWK(keys.publicKey);
  const installation = await StoryInstallation.start(t, {
    further: `services:
  listen: 127.0.0.1:${services}
  issuers:
    - { name: ci, issuer: "https://ci.example", audiences: [sallyport], keys: ./ci.json, algorithms: [ES256], subject: "{sub}" }
`,
    prepare: (directory) => {
      const rule = '  - { id: ci, allow: wiki, who: ["service:ci:job-1"], methods: [GET] }';
      writeFileSync(join(directory, 'policy.yaml'), POLICY.replace('rules:', `rules:\n${rule}`));
      writeFileSync(
        join(directory, 'ci.json'),
        JSON.stringify({ keys: [{ ...jwk, kid: 'k', alg: 'ES256' }] }),
      );
    },
  });
  const ports = { ...installation.ports, services };
  const roles = new Map<string, Role>([['nobody', {}]]);

  await step('everybody has what is theirs', async () => {
    const ada = installation.visitor();
    await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'key');
    await ada.signIn(`${installation.originOf('drop')}/`, 'ada', 'key');
    roles.set('person', { headers: { cookie: ada.cookieHeader('access.localhost') } });
    roles.set('app session', { headers: { cookie: ada.cookieHeader('wiki.localhost') } });
    const bearer = (name: string, value: string): unknown =>
      roles.set(name, { headers: { authorization: `Bearer ${value}`, cookie: `__Host-sallyport=${value}` } });
    bearer('terminal', await terminalToken(installation, ada));
    const service = new SignJWT({ sub: 'job-1' })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer('https://ci.example')
      .setAudience('sallyport')
      .setIssuedAt()
      .setExpirationTime('5m');
    bearer('service', await service.sign(keys.privateKey));
    bearer('enrolment', await installation.token('spare.token'));
    const seen = installation.receiver.seen.at(-1)?.headers ?? [];
    const assertion = seen[seen.indexOf('X-Sallyport-Assertion') + 1] ?? '';
    assert.match(assertion, /^eyJ/);
    bearer('assertion', assertion);
    const identity = readFileSync(installation.path('connector-state/identity.pem'), 'utf8');
    roles.set('connector', { certificate: { cert: identity, key: identity } });
    assert.equal(roles.size, 8);
  });

  await step('and it opens that door, and no other', async () => {
    const wrong: string[] = [];
    for (const door of DOORS) {
      for (const [name, role] of roles) {
        const status = await knock(door, role, ports[door.at], name === 'connector');
        const wanted = door.open[name] === undefined ? door.closed : [door.open[name]];
        if (!wanted.includes(status)) wrong.push(`${name} at ${door.what}: ${status}, not ${wanted}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  await step('what was allowed is what was open', () => {
    const allowed = installation.events().filter(({ event }) => event.action === 'access-allowed');
    const apps = new Set(allowed.map(({ sallyport }) => sallyport?.app?.id));
    assert.deepEqual([...apps].sort(), ['drop', 'wiki']);
  });
});

/** A command line's token, as its login gets it. */
async function terminalToken(
  { portal: origin }: StoryInstallation,
  ada: ReturnType<StoryInstallation['visitor']>,
): Promise<string> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const approved = await ada.ask(`${origin}/cli`, {
    method: 'POST',
    headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ port: '40000', challenge, state: 's'.repeat(32) }).toString(),
  });
  const code = new URL(String(approved.headers['location'])).searchParams.get('code') ?? '';
  const reply = await ada.ask(`${origin}/cli/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, verifier }),
  });
  assert.equal(reply.status, 201, reply.body);
  return String(JSON.parse(reply.body).token);
}

const UPGRADE = {
  connection: 'upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-protocol': 'sallyport.v1',
};

/** The status of one request with everything that a role can show. */
function knock(door: Door, role: Role, port: number, certificate: boolean): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { host, path, method = 'GET', upgrade } = door;
  const options: RequestOptions = {
    ...{ host: '127.0.0.1', port, servername: host, method, path, agent: false, rejectUnauthorized: false },
    ...(certificate ? role.certificate : {}),
    headers: {
      host: `${host}:${port}`,
      ...(method === 'POST' ? { 'content-length': '2', 'content-type': 'application/json' } : {}),
      ...(upgrade === true ? UPGRADE : {}),
      ...role.headers,
    },
  };
  const asked = request(options, (response) => {
    response.resume();
    response.socket.destroy();
    resolve(response.statusCode ?? 0);
  });
  asked.once('upgrade', (response, socket) => {
    socket.destroy();
    resolve(response.statusCode ?? 0);
  });
  asked.on('error', reject);
  asked.end(method === 'POST' ? '{}' : undefined);
  return promise;
}
