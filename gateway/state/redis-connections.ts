// Connects to Redis as the configuration says: one server, a primary that Sentinels know, or a Cluster.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { type RedisOptions as AnyRedisOptions, Cluster, Redis } from 'ioredis';
import { serverIdentity } from '#connectors/wire/server-identity';
import type { RedisConfig } from './config.ts';
import { StateError } from './error.ts';
import { readPrivate, readSecret } from './private-files.ts';
import { adviceOn } from './redis-advice.ts';
import { sentinelConnector } from './redis-sentinels.ts';

/** Milliseconds. Together they keep a hung server from holding a request longer than this. */
const CONNECT_TIMEOUT = 1_000;
const ANSWER_TIMEOUT = 1_000;
const LONGEST_PAUSE = 500;
/** How long a starting gateway waits for Redis. */
const START_TIMEOUT = 10_000;

export type RedisClient = Redis | Cluster;

/** We never ask for another form of answers than the library's own. */
type RedisOptions = Omit<AnyRedisOptions, 'replyMapping'>;

/** Makes connections; nobody else knows where Redis is. */
export interface RedisConnections {
  /** A connection for commands, ready. Throws StateError. */
  client(): Promise<RedisClient>;
  /** Why there is none now, in words with what to do; undefined while there is one. */
  readonly trouble: string | undefined;
  /** A connection for listening that ends when it breaks. In a Cluster each attempt asks another node. */
  listener(attempt: number): Redis;
}

export function redisConnections(config: RedisConfig): RedisConnections {
  const options = redisOptions(config);
  const where = target(config, options.tls);
  const make = (more: RedisOptions): Redis => new Redis({ ...options, ...where, ...more });
  let trouble: string | undefined;
  return {
    client: () => {
      const client = config.cluster === undefined ? make({}) : cluster(config.cluster, options);
      client.on('error', (error: Error) => {
        trouble = inWords(error, config);
      });
      client.on('ready', () => {
        trouble = undefined;
      });
      return ready(client, config);
    },
    get trouble() {
      return trouble;
    },
    listener: (attempt) => {
      const once: RedisOptions = { retryStrategy: () => null, enableOfflineQueue: true };
      const node = config.cluster?.[attempt % config.cluster.length];
      return node === undefined ? make(once) : new Redis({ ...options, ...node, ...once });
    },
  };
}

type Address = { readonly host: string; readonly port: number };

function target({ server, sentinel }: RedisConfig, tls: ConnectionOptions | undefined): RedisOptions {
  if (server !== undefined) return server;
  if (sentinel === undefined) return {};
  const { password, ...known } = sentinel;
  return {
    Connector: sentinelConnector({
      ...known,
      ...{ tls, pause, connectTimeout: CONNECT_TIMEOUT, answerTimeout: ANSWER_TIMEOUT },
      password: password && readSecret(password.file),
    }),
  };
}

function redisOptions({ username, password, tls, database }: RedisConfig): RedisOptions {
  const secure = tls && secureOptions(tls);
  return {
    db: database,
    connectTimeout: CONNECT_TIMEOUT,
    commandTimeout: ANSWER_TIMEOUT,
    // Without it a server that hangs keeps its connections, and is waited for, for ever.
    socketTimeout: ANSWER_TIMEOUT,
    retryStrategy: pause,
    // A command that cannot go out now fails now: it is a deny, not a queue.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // A primary that was demoted: look for the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: readSecret(password.file) }),
    ...(secure === undefined ? {} : { tls: secure }),
  };
}

function secureOptions({
  ca,
  certificate,
  key,
  serverName,
}: NonNullable<RedisConfig['tls']>): ConnectionOptions {
  const name = { checkServerIdentity: serverIdentity, ...(serverName && { servername: serverName }) };
  const secret = key && readPrivate(key);
  try {
    const secureContext = createSecureContext({
      minVersion: 'TLSv1.2',
      ca: ca && readFileSync(ca),
      cert: certificate && readFileSync(certificate),
      key: secret,
    });
    return { secureContext, ...name };
  } catch (cause) {
    const { message } = cause as Error;
    const text = `state.redis.tls: ca, certificate and key must be PEM files, and the key that of the certificate: ${message}`;
    throw new StateError('state-unreachable', text, { cause });
  }
}

function cluster(
  nodes: readonly Address[],
  { retryStrategy: _, db: _db, ...options }: RedisOptions,
): Cluster {
  const { enableOfflineQueue: _queue, ...redisOptions } = options;
  return new Cluster([...nodes], {
    redisOptions,
    enableOfflineQueue: false,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: CONNECT_TIMEOUT,
    slotsRefreshInterval: 5_000,
    retryDelayOnFailover: 200,
    retryDelayOnClusterDown: 200,
    maxRedirections: 4,
  });
}

function pause(attempt: number): number {
  return Math.min(50 * attempt, LONGEST_PAUSE);
}

async function ready(client: RedisClient, config: RedisConfig): Promise<RedisClient> {
  let last: Error | undefined;
  client.on('error', (error: Error) => {
    last = error;
  });
  try {
    await once(client, 'ready', { signal: AbortSignal.timeout(START_TIMEOUT) });
    return client;
  } catch (cause) {
    client.disconnect();
    const error = last ?? (cause as Error);
    throw new StateError('state-unreachable', inWords(error, config), { cause: error });
  }
}

/** What is wrong with Sentinels, and with the servers they name, is in words already. */
function inWords(error: Error, config: RedisConfig): string {
  return error instanceof StateError
    ? `no Redis: ${error.message}`
    : `no Redis at ${describe(config)}: ${adviceOn(error, 'state.redis', config.tls !== undefined)}`;
}

/** Where it was looked for, for people. */
function describe({ server, sentinel, cluster: nodes }: RedisConfig): string {
  const text = ({ host, port }: Address): string => `${host}:${port}`;
  if (server !== undefined) return text(server);
  if (sentinel !== undefined)
    return `the primary "${sentinel.name}" of the Sentinels ${sentinel.addresses.map(text).join(', ')}`;
  return `the Cluster of ${(nodes ?? []).map(text).join(', ')}`;
}
