// Holds the production-like shape to what it says: who reaches whom, as which user, with which secrets.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { type ConnectorConfig, connectorSchema } from '#connectors/config';
import { type GatewayConfig, gatewaySchema } from '#gateway/config';
import { readDocument } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { findProgram, requires } from '../requires.ts';
import { ROOMS } from './graph.ts';

const root = join(import.meta.dirname, '../..');
const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

interface Mount {
  readonly source: string;
  readonly target: string;
}
interface Service {
  readonly [key: string]: unknown;
  readonly user?: string;
  readonly image?: string;
  readonly hostname?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly networks: readonly string[] | Readonly<Record<string, unknown>>;
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly configs?: readonly Mount[];
  readonly secrets?: readonly Mount[];
  readonly volumes?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const compose: Compose = parse(textOf('compose.yaml'), { merge: true });
const services = Object.entries(compose.services);
const networksOf = ({ networks }: Service): string[] =>
  Array.isArray(networks) ? networks : Object.keys(networks);

/** Images that write into their own folders at start; the file says so at each. */
const WRITABLE = ['elasticsearch', 'keycloak', 'kibana'];

suite('each service', () => {
  for (const [name, service] of services) {
    test(`${name} runs as an ordinary user, without capabilities, and is watched`, () => {
      assert.match(service.user ?? '', /^[1-9]\d*:\d+$/, 'a user by number, not root');
      assert.deepEqual(service.cap_drop, ['ALL']);
      assert.deepEqual(service.security_opt, ['no-new-privileges:true']);
      assert.equal(service.read_only ?? false, !WRITABLE.includes(name));
      for (const key of ['healthcheck', 'mem_limit', 'pids_limit', 'restart']) assert.ok(key in service, key);
      for (const key of ['privileged', 'network_mode', 'pid', 'cap_add', 'devices', 'env_file']) {
        assert.ok(!(key in service), key);
      }
      assert.match(service.image ?? '', /^[a-z][a-z0-9/-]*:\d+\.\d+/, 'an image with its version');
      assert.ok(!(service.volumes ?? []).some((volume) => /^[./~]/.test(volume)), 'no folder of the host');
      const secretive = Object.keys(service.environment ?? {}).filter((key) =>
        /PASSWORD|SECRET|TOKEN/.test(key),
      );
      assert.deepEqual(
        secretive.filter((key) => !key.endsWith('_FILE')),
        [],
        'secrets are files',
      );
    });
  }
});

test('nothing but a connector shares a network with the app, and neither can be reached from outside', () => {
  const onApps = services.filter(([, service]) => networksOf(service).includes('apps')).map(([name]) => name);
  assert.deepEqual(onApps, ['connector-1', 'connector-2', 'wiki']);
  for (const name of onApps)
    assert.equal(compose.services[name]?.ports, undefined, `${name} publishes a port`);
  assert.deepEqual(networksOf(compose.services['wiki'] as Service), ['apps']);
});

test('only what people open is on a network with a way out', () => {
  const open = Object.entries(compose.networks).filter(([, network]) => network.internal !== true);
  assert.deepEqual(open.map(([name]) => name).sort(), ['edge', 'operators']);
  const reachable = services.filter(([, service]) =>
    networksOf(service).some((name) => open.some(([o]) => o === name)),
  );
  assert.deepEqual(
    reachable.map(([name]) => name),
    ['gateway-1', 'gateway-2', 'keycloak', 'kibana'],
  );
});

test('everything that is used is declared, and everything declared is used', () => {
  const used = {
    networks: services.flatMap(([, service]) => networksOf(service)),
    volumes: services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0] ?? '')),
    configs: services.flatMap(([, { configs = [] }]) => configs.map(({ source }) => source)),
    secrets: services.flatMap(([, { secrets = [] }]) => secrets.map(({ source }) => source)),
  };
  for (const kind of ['networks', 'volumes', 'configs', 'secrets'] as const) {
    assert.deepEqual([...new Set(used[kind])].sort(), Object.keys(compose[kind]).sort(), kind);
  }
  for (const { file } of Object.values(compose.secrets))
    assert.match(file, /^\.sallyport\//, 'git ignores it');
  const committed = Object.values(compose.configs).filter(({ file }) => !file.startsWith('.sallyport/'));
  for (const { file } of committed) assert.ok(existsSync(join(root, file)), file);
});

function gatewayOf(name: string): GatewayConfig {
  const file = `docs/deploy/${name}.yaml`;
  const reading = readDocument(gatewaySchema, textOf(file), file);
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.value;
}

function connectorOf(name: string): ConnectorConfig {
  const file = `docs/deploy/${name}.yaml`;
  const reading = readDocument(connectorSchema, textOf(file), file);
  assert.ok(reading.ok, JSON.stringify(reading));
  return reading.value;
}

for (const number of [1, 2]) {
  const [gatewayName, connectorName] = [`gateway-${number}`, `connector-${number}`];
  test(`the documents of ${gatewayName} and ${connectorName} are good and fit the file and each other`, () => {
    const gateway = gatewayOf(gatewayName);
    const connector = connectorOf(connectorName);
    assert.deepEqual([gateway.name, connector.name], [gatewayName, connectorName]);
    const service = compose.services[gatewayName] as Service;
    const port = new URL(gateway.portal).port;
    assert.deepEqual(service.ports, [`${port}:${gateway.listen.people.port}`]);
    const dialled = new URL(connector.gateways[0] ?? '');
    assert.equal(Number(dialled.port), gateway.listen.connectors.port);
    assert.ok(gateway.connectors.hosts.includes(dialled.hostname) && dialled.hostname in compose.services);
    for (const app of gateway.apps) {
      assert.ok(app.connectors.includes(connectorName));
      const { hostname } = new URL(connector.apps[app.id]?.url ?? '');
      assert.ok(networksOf(compose.services[hostname] as Service).includes('apps'));
    }
    const targets = [...(service.configs ?? []), ...(service.secrets ?? [])].map(({ target }) =>
      basename(target),
    );
    const named = [
      gateway.policy,
      gateway.tls?.certificate,
      gateway.tls?.key,
      gateway.identity.providers[0]?.ca,
    ];
    assert.ok(gateway.store.kind === 'redis');
    const { secret, redis } = gateway.store;
    named.push(secret.file, redis.password?.file);
    assert.ok(redis.server !== undefined && redis.server.host in compose.services);
    for (const file of named) assert.ok(targets.includes(basename(file ?? '?')), `${file} is not mounted`);
    for (const { state } of [gateway, connector]) assert.match(state, /^\/var\/lib\/sallyport\//);
    const provider = gateway.identity.providers[0];
    const [client] = JSON.parse(textOf('docs/deploy/realm.json')).clients;
    assert.ok(client.redirectUris.includes(`${gateway.portal}/callback/${provider?.id}`));
    assert.ok(
      client.attributes['post.logout.redirect.uris'].split('##').includes(`${gateway.portal}/sign-out`),
    );
    assert.equal(client.clientId, provider?.clientId);
  });
}

test('the policy loads, its own tests pass, and it speaks of the apps there are', () => {
  const loading = loadPolicy(textOf('docs/deploy/policy.yaml'), 'docs/deploy/policy.yaml');
  assert.ok(loading.ok, JSON.stringify(loading));
});

test('the image runs on the pinned runtime, as an ordinary user, from what it needs only', () => {
  const { config } = JSON.parse(textOf('package.json'));
  const lines = textOf('Dockerfile').split('\n');
  const bases = lines.filter((line) => line.startsWith('FROM '));
  for (const base of bases) assert.match(base, new RegExp(`^FROM node:${config.patchedNode}-`));
  assert.deepEqual(
    lines.filter((line) => line.startsWith('USER ')),
    ['USER 10001:10001'],
  );
  assert.match(textOf('Dockerfile'), /npm ci --omit=dev --omit=optional/);
  const launcher = textOf('bin/sallyport.js');
  const [, flags = ''] = /HEAP_FLAGS = \[(.*)\]/.exec(launcher) ?? [];
  for (const flag of flags.split(', '))
    assert.ok(textOf('Dockerfile').includes(flag.replaceAll("'", '"')), flag);
  const taken = textOf('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'));
  for (const room of ROOMS) assert.equal(taken.includes(`!${room}`), room !== 'test', room);
});

test('prepare.sh makes every file that is mounted, each for its reader, and leaves what is there', {
  skip: process.getuid?.() === 0 ? requires('openssl') : 'skipped: prepare.sh needs root',
}, () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'));
  try {
    const prepare = (): void => {
      const { status, stderr } = spawnSync('sh', [join(root, 'docs/deploy/prepare.sh')], {
        cwd: place,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
    };
    prepare();
    const made = [...Object.values(compose.configs), ...Object.values(compose.secrets)]
      .map(({ file }) => file)
      .filter((file) => file.startsWith('.sallyport/'));
    for (const file of made) assert.ok(existsSync(join(place, file)), `${file} is not made`);
    for (const [, { user = '', secrets = [] }] of services) {
      for (const { source } of secrets) {
        const { uid, mode } = statSync(join(place, compose.secrets[source]?.file ?? ''));
        assert.equal(uid, Number(user.split(':')[0]), source);
        if (!source.endsWith('certificate')) assert.equal(mode & 0o077, 0, source);
      }
    }
    const at = (name: string): string => join(place, '.sallyport/deploy', name);
    const authority = new X509Certificate(readFileSync(at('authority.pem')));
    const hosts = [1, 2].flatMap((number) => {
      const { portal, apps } = gatewayOf(`gateway-${number}`);
      return [
        new URL(portal).hostname,
        ...apps.flatMap((app) => (app.protocol === 'http' ? [app.host] : [])),
      ];
    });
    const issuer = gatewayOf('gateway-1').identity.providers[0]?.issuer ?? '';
    for (const [file, names] of [
      ['gateway.pem', hosts],
      ['login.pem', [new URL(issuer).hostname]],
      ['events.pem', ['elasticsearch']],
    ] as const) {
      const certificate = new X509Certificate(readFileSync(at(file)));
      assert.ok(certificate.verify(authority.publicKey), file);
      for (const name of names) assert.equal(certificate.checkHost(name), name, file);
    }
    writeFileSync(at('connector-1.token'), 'a token');
    const before = readFileSync(at('redis.conf'), 'utf8');
    prepare();
    assert.equal(readFileSync(at('connector-1.token'), 'utf8'), 'a token');
    assert.equal(readFileSync(at('redis.conf'), 'utf8'), before);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("nginx takes the app's configuration", { skip: requires('nginx') }, () => {
  const place = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'));
  try {
    const file = join(place, 'nginx.conf');
    const wiki = join(root, 'docs/deploy/wiki.nginx.conf');
    writeFileSync(
      file,
      `pid ${place}/pid; error_log stderr; events {} http { access_log off; include ${wiki}; }`,
    );
    const { status, stderr } = spawnSync(findProgram('nginx') ?? '', ['-t', '-p', place, '-c', file], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test('the shell scripts pass shellcheck', { skip: requires('shellcheck') }, () => {
  const files = ['.ci/run', 'docs/deploy/prepare.sh'];
  const { status, stdout } = spawnSync('shellcheck', files, { cwd: root, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0;
test('docker compose reads the file', { skip: !hasCompose && 'skipped: docker compose not found' }, () => {
  const profiles = ['--profile', 'pair', '--profile', 'siem'];
  const { status, stderr } = spawnSync('docker', ['compose', ...profiles, 'config', '--quiet'], {
    cwd: root,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
});
