// Sentinels and servers that speak only TLS, with client certificates and passwords: the configuration that the page on
// state shows, what a wrong one is told, and Sentinels that are not to be believed.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { gatewaySchema, resolvePaths } from '#gateway/config';
import type { RedisConfig } from '#gateway/state/config';
import { StateError } from '#gateway/state/error';
import { formatProblems, readDocument } from '#policy/document';
import { REDIS_NEEDS, type Scope, type SecureRedis, type Sentinels, sentinels } from '#test/contract/redis';
import { INNER, secureRedis } from '#test/contract/redis-secure';
import { requires } from '#test/requires';
import { until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { contractOn, open, secretFile } from './redis-bed.ts';

const HOST = 'localhost';

interface Bed {
  readonly secure: SecureRedis;
  readonly watched: Sentinels;
  readonly config: RedisConfig;
}

/** What the page on state shows for several gateways, with its files; only where the Sentinels are is another place. */
function asPrinted(scope: Scope, secure: SecureRedis, ports: readonly number[]): RedisConfig {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/state.md'), 'utf8');
  const [, printed = ''] = /```yaml\n(state:\n {2}kind: redis\n[\s\S]*?)```/.exec(page) ?? [];
  const text = printed.replaceAll(/redis-(\d)\.internal:26379/g, (_, n) => `${HOST}:${ports[Number(n) - 1]}`);
  const reading = readDocument(
    gatewaySchema,
    `version: 1
policy: ./policy.yaml
portal: https://access.example.com
identity:
  providers:
    - { id: corp, name: Corp, issuer: "https://id.example.com", clientId: s, clientSecret: { file: ./secret } }
apps: [{ id: wiki, name: Wiki, host: wiki.example.com, connectors: [berlin-1] }]
${text}`,
    'gateway.yaml',
  );
  assert.ok(reading.ok, reading.ok ? '' : formatProblems(reading.problems));
  const directory = dirname(secretFile(scope, 'unused').file);
  const file = (name: string, content: string): void =>
    writeFileSync(join(directory, name), content, { mode: 0o600 });
  file('redis-password', secure.passwords.servers);
  file('sentinel-password', secure.passwords.sentinels);
  file('redis-ca.pem', readFileSync(secure.ca, 'utf8'));
  file('redis-client.pem', readFileSync(secure.client.certificate, 'utf8'));
  file('redis-client.key', readFileSync(secure.client.key, 'utf8'));
  const { store } = resolvePaths(reading.value, directory);
  assert.ok(store.kind === 'redis');
  return store.redis;
}

async function bed(scope: Scope): Promise<Bed> {
  const secure = await secureRedis(scope, HOST);
  const watched = await sentinels(scope, { secure });
  const ports = watched.sentinels.map(({ port }) => port);
  return { secure, watched, config: asPrinted(scope, secure, ports) };
}

contractOn(
  'the store behind Sentinels with TLS, client certificates and passwords, configured as the page says',
  async (scope) => (await bed(scope)).config,
  INNER,
);

describe('Sentinels with TLS', { skip: requires(...REDIS_NEEDS), timeout: 60_000 }, () => {
  const steps: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (step) => void steps.push(step) };
  let secure: SecureRedis;
  let watched: Sentinels;
  let config: RedisConfig;
  before(async () => {
    ({ secure, watched, config } = await bed(scope));
  });
  after(async () => {
    for (const step of steps.reverse()) await step();
  });

  /** The configuration with something else in it. */
  const changed = (
    change: {
      readonly [K in keyof RedisConfig]?: RedisConfig[K] | undefined;
    },
  ): RedisConfig => ({ ...config, ...change }) as RedisConfig;
  const sentinel = (change: Partial<NonNullable<RedisConfig['sentinel']>>): RedisConfig =>
    changed({ sentinel: { ...(config.sentinel as NonNullable<RedisConfig['sentinel']>), ...change } });
  const tls = (change: Partial<NonNullable<RedisConfig['tls']>>): RedisConfig =>
    changed({ tls: { ...config.tls, ...change } });

  const mistakes: [name: string, config: (t: Scope) => RedisConfig, told: RegExp][] = [
    [
      'no TLS',
      () => changed({ tls: undefined }),
      /Sentinel .*: if it speaks only TLS, set state\.redis\.tls|hangs up/,
    ],
    [
      'no client certificate',
      () => tls({ certificate: undefined, key: undefined }),
      /set state\.redis\.tls\.certificate and key/,
    ],
    [
      'another authority',
      () => tls({ ca: undefined }),
      /the authority of its certificate is not in state\.redis\.tls\.ca/,
    ],
    [
      'another name',
      () => tls({ serverName: 'redis.internal' }),
      /Host: redis\.internal.*set state\.redis\.tls\.serverName/,
    ],
    [
      'a key that is no key',
      (t) => tls({ key: secretFile(t, 'nothing').file }),
      /state\.redis\.tls: ca, certificate and key must be PEM files/,
    ],
    [
      'another password for Sentinels',
      (t) => sentinel({ password: secretFile(t, 'wrong-one') }),
      /Sentinel .*WRONGPASS.*look at state\.redis\.sentinel\.username and state\.redis\.sentinel\.password\.file$/,
    ],
    [
      'no password for Sentinels',
      () => sentinel({ username: undefined, password: undefined }),
      /Sentinel .*NOAUTH.*set state\.redis\.sentinel\.password\.file$/,
    ],
    [
      'another password for servers',
      (t) => changed({ password: secretFile(t, 'wrong-one') }),
      /WRONGPASS.*look at state\.redis\.username and state\.redis\.password\.file$/,
    ],
    [
      'another name for the primary',
      () => sentinel({ name: 'other' }),
      /knows no primary "other": look at state\.redis\.sentinel\.name$/,
    ],
    [
      'servers in the place of Sentinels',
      (t) =>
        sentinel({
          addresses: watched.servers.map(({ port }) => ({ host: HOST, port })),
          password: secretFile(t, secure.passwords.servers),
        }),
      /it is not a Sentinel: name the Sentinels in state\.redis\.sentinel\.addresses/,
    ],
  ];
  for (const [name, wrong, told] of mistakes) {
    test(`${name} is told in words, without a password`, async (t) => {
      await assert.rejects(open(t, wrong(t)), (error) => {
        assert.ok(error instanceof StateError);
        assert.match(error.message, told);
        return !/wrong-one|of-the-/.test(error.message);
      });
    });
  }

  const own = (): readonly Place[] => config.sentinel?.addresses ?? [];
  /** It finds the primary, hears what is published and knows it from others. */
  const works = async (t: Scope, addresses: readonly Place[]): Promise<void> => {
    const store = await open(t, sentinel({ addresses }));
    t.after(() => store.close());
    let heard = '';
    await store.subscribe(
      'news',
      (message) => {
        heard = message;
      },
      () => undefined,
    );
    await store.publish('news', 'to all');
    await until('it hears', () => heard === 'to all');
  };

  test('one without TLS is told of by name, and passed over where there are others', async (t) => {
    const plain = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('-ERR Protocol error: unauthenticated bulk length\r\n'));
    });
    const there = await listening(t, plain);
    await assert.rejects(
      open(t, sentinel({ addresses: [there] })),
      new RegExp(`Sentinel ${HOST}:${there.port}: wrong version number: it does not speak TLS there`),
    );
    await works(t, [there, ...own()]);
  });

  test('one that names a server with another certificate is not believed, and that server is told nothing', async (t) => {
    let told = 0;
    const imposter = createTlsServer(await serving(secure, 'other.internal'), (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        told += 1;
      });
    });
    const named = await listening(t, imposter);
    const liar = await sentinelNaming(t, secure, named);
    await assert.rejects(
      open(t, sentinel({ addresses: [liar] })),
      new RegExp(
        `Sentinel ${HOST}:${liar.port}: it names ${HOST}:${named.port} as the primary, which cannot be used: .*DNS:other\\.internal`,
      ),
    );
    await works(t, [liar, ...own()]);
    assert.equal(told, 0);
  });

  test('those that hang, name a replica, nobody or nonsense are passed over', async (t) => {
    const primary = await watched.primary();
    const replica = watched.servers.find(({ port }) => port !== primary)?.port ?? 0;
    const hung = await listening(
      t,
      createServer((socket) => socket.on('error', () => undefined)),
    );
    const [free = 0] = await freePorts(1);
    const wrong = await Promise.all(
      [replica, free, 70_000].map((port) => sentinelNaming(t, secure, { host: HOST, port })),
    );
    await works(t, [hung, ...wrong, ...own()]);
  });
});

interface Place {
  readonly host: string;
  readonly port: number;
}

async function listening(scope: Scope, server: Server): Promise<Place> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  scope.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return { host: HOST, port: (server.address() as AddressInfo).port };
}

async function serving(secure: SecureRedis, name: string): Promise<TlsOptions> {
  const { certificate, key } = await secure.credentials(name);
  return {
    ...{ cert: readFileSync(certificate), key: readFileSync(key), ca: readFileSync(secure.ca) },
    requestCert: true,
  };
}

/** A Sentinel with a good certificate that says what it is told to. */
async function sentinelNaming(scope: Scope, secure: SecureRedis, { host, port }: Place): Promise<Place> {
  const answer = `*2\r\n$${host.length}\r\n${host}\r\n$${String(port).length}\r\n${port}\r\n`;
  const server = createTlsServer(await serving(secure, HOST), (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const [word] of data.toString().matchAll(/^(?:hello|sentinel)(?=\r\n)/gim))
        socket.write(word.toLowerCase() === 'hello' ? '+OK\r\n' : answer);
    });
  });
  return listening(scope, server);
}
