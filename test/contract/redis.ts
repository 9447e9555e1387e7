// Real Redis servers for tests: one, a primary with replicas and Sentinels, or a Cluster. Each is a process of its own
// that the test started and stops; nothing is written to disk but their Sentinels' and nodes' own notes.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';

/** What these need; for `requires`. */
export const REDIS_NEEDS = ['redis-server'] as const;

/** Whoever cleans up when it is over. */
export interface Scope {
  after(step: () => Promise<void>): void;
}

export interface RedisServer {
  readonly port: number;
  readonly part: Part;
}

/** Where a server is, and how to speak to it. */
type Reach = Pick<RedisOptions, 'host' | 'port' | 'password' | 'tls'>;

/** Files of one who speaks TLS: paths. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

export interface SecureRedis {
  /** By which servers and Sentinels know each other, and what their certificates are for. */
  readonly host: string;
  readonly ca: string;
  readonly passwords: { readonly servers: string; readonly sentinels: string };
  /** A gateway's. */
  readonly client: Credentials;
  /** Arguments of a server on `port`, instead of `--port`. */
  server(port: number, credentials?: Credentials): string[];
  /** Lines of a Sentinel's configuration, instead of `port`. */
  sentinel(port: number): string[];
  /** How the test asks either of them. */
  readonly asking: Reach;
  /** More credentials, for any name. */
  credentials(name: string): Promise<Credentials>;
}

/** Servers that end together, and then what they wrote goes. */
interface Place {
  readonly directory: string;
  readonly parts: Part[];
}

function placeFor(scope: Scope): Place {
  const place: Place = { directory: mkdtempSync(join(tmpdir(), 'sallyport-redis-')), parts: [] };
  scope.after(async () => {
    for (const part of place.parts) part.signal('SIGCONT');
    await Promise.all(place.parts.map((part) => part.kill()));
    rmSync(place.directory, { recursive: true, force: true });
  });
  return place;
}

function launch({ directory, parts }: Place, port: number, args: readonly string[]): RedisServer {
  const place = join(directory, String(port));
  mkdirSync(place, { recursive: true });
  const common = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const part = new Part(`redis ${port}`, 'redis-server', [...args, ...common, '--dir', place], {
    cwd: place,
    log: join(place, 'log'),
  });
  parts.push(part);
  return { port, part };
}

/** Asks the server on that port, or there, something; undefined while it does not answer. */
export async function ask(at: number | Reach, ...words: readonly string[]): Promise<unknown> {
  const redis = new Redis({
    ...(typeof at === 'number' ? { port: at } : at),
    connectTimeout: 500,
    commandTimeout: 500,
    socketTimeout: 500,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  redis.on('error', () => undefined);
  try {
    const [command = 'PING', ...args] = words;
    return await redis.call(command, ...args);
  } catch {
    return undefined;
  } finally {
    redis.disconnect();
  }
}

/**
 * Lets time pass for what stores count in Redis, which goes by Redis's own clock: shortens the lives of its counts. `client`
 * may read and shorten them, which gateways' user may not.
 */
export async function elapse(client: Redis | Cluster, milliseconds: number): Promise<void> {
  const shorten = "return redis.call('PEXPIRE', KEYS[1], redis.call('PTTL', KEYS[1]) - ARGV[1])";
  for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
    for (const key of await node.keys('sallyport:passed:*')) await node.eval(shorten, 1, key, milliseconds);
  }
}

const answers = (port: number): Promise<boolean> => ask(port, 'PING').then((reply) => reply === 'PONG');

/** One server on `port`, or on one that is free. */
export async function redisServer(
  scope: Scope,
  { port, args = [] }: { readonly port?: number; readonly args?: readonly string[] } = {},
): Promise<RedisServer> {
  const at = port ?? (await freePorts(1))[0] ?? 0;
  const server = launch(
    placeFor(scope),
    at,
    args.includes('--tls-port') ? args : ['--port', String(at), ...args],
  );
  await server.part.said(/Ready to accept connections/);
  return server;
}

export interface Sentinels {
  readonly name: string;
  /** The first is the primary at the start. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Starts Sentinels that were killed, with what they knew. */
  revive(...ports: readonly number[]): void;
  /** The port of what the Sentinels call the primary now. */
  primary(): Promise<number | undefined>;
}

export interface SentinelsOptions {
  /** Another port by which replicas, Sentinels and whoever asks them reach the primary. */
  readonly through?: (port: number) => Promise<number>;
  /** More of every server. */
  readonly args?: readonly string[];
  /** TLS and passwords for all of them. */
  readonly secure?: SecureRedis | undefined;
  /** Milliseconds without an answer after which a Sentinel holds the primary for gone; a second if left out. */
  readonly patience?: number;
}

/** A primary with two replicas, watched by three Sentinels. */
export async function sentinels(
  scope: Scope,
  { through = async (port) => port, args = [], patience = 1_000, secure }: SentinelsOptions = {},
): Promise<Sentinels> {
  const place = placeFor(scope);
  const ports = await freePorts(6);
  const [first = 0] = ports;
  const seen = await through(first);
  const host = secure?.host ?? '127.0.0.1';
  const reach = (port: number): Reach => ({ port, ...secure?.asking });
  const limits = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2', '--repl-timeout', '5'];
  const prompt = ['--repl-diskless-sync-delay', '0'];
  const servers = ports.slice(0, 3).map((port, index) => {
    const replica = index === 0 ? [] : ['--replicaof', host, String(seen)];
    return launch(place, port, [
      ...(secure?.server(port) ?? ['--port', String(port)]),
      ...replica,
      ...limits,
      ...prompt,
      ...args,
    ]);
  });
  await until('the replicas follow', async () =>
    String(await ask(reach(first), 'INFO', 'replication')).includes('min_slaves_good_slaves:2'),
  );
  const name = 'sallyport';
  const notes = (port: number): string => join(place.directory, `${port}.conf`);
  const watch = (port: number): RedisServer => launch(place, port, [notes(port), '--sentinel']);
  const watchers = ports.slice(3).map((port) => {
    writeFileSync(
      notes(port),
      [
        ...(secure?.sentinel(port) ?? [`port ${port}`]),
        `sentinel monitor ${name} ${host} ${seen} 2`,
        ...(secure === undefined ? [] : [`sentinel auth-pass ${name} ${secure.asking.password}`]),
        `sentinel down-after-milliseconds ${name} ${patience}`,
        `sentinel failover-timeout ${name} 4000`,
        `sentinel parallel-syncs ${name} 2`,
        '',
      ].join('\n'),
    );
    return watch(port);
  });
  for (const { port } of watchers) {
    await until('the Sentinels know each other', async () => {
      const info = (await ask(reach(port), 'SENTINEL', 'MASTER', name)) as string[] | undefined;
      const value = (key: string): string | undefined => info?.[info.indexOf(key) + 1];
      return value('num-other-sentinels') === '2' && value('num-slaves') === '2';
    });
  }
  return {
    name,
    servers,
    sentinels: watchers,
    revive: (...some) => {
      for (const port of some) watch(port);
    },
    primary: async () => {
      for (const { port } of watchers) {
        const reply = (await ask(reach(port), 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as
          | string[]
          | undefined;
        if (reply?.[1] !== undefined) return Number(reply[1]);
      }
      return undefined;
    },
  };
}

/** A Cluster of three primaries; their ports. */
export async function redisCluster(
  scope: Scope,
  args: readonly string[] = [],
): Promise<readonly RedisServer[]> {
  const place = placeFor(scope);
  const servers = (await freePorts(3)).map((port) =>
    launch(place, port, [
      ...['--port', String(port), '--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
      // By itself it would be ten thousand more, beyond what the kernel keeps free of outgoing connections.
      ...['--cluster-port', String(port + 1)],
      ...args,
    ]),
  );
  await Promise.all(servers.map(({ port }) => until('a node answers', () => answers(port))));
  const [first = 0] = servers.map(({ port }) => port);
  const share = Math.ceil(16_384 / servers.length);
  for (const [index, { port }] of servers.entries()) {
    const last = Math.min((index + 1) * share, 16_384) - 1;
    await ask(port, 'CLUSTER', 'ADDSLOTSRANGE', String(index * share), String(last));
    if (port !== first) await ask(port, 'CLUSTER', 'MEET', '127.0.0.1', String(first), String(first + 1));
  }
  for (const { port } of servers) {
    await until('the Cluster is whole', async () =>
      /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await ask(port, 'CLUSTER', 'INFO'))),
    );
  }
  return servers;
}
