// The store of several gateways: Redis, by itself, watched by Sentinels, or as a Cluster. Every record is sealed before
// it leaves this process. A command that is not answered in time throws, and so becomes a deny.
import type { ChainableCommander } from 'ioredis';
import { StateError } from './error.ts';
import { KINDS } from './kinds.ts';
import { answered, unanswered } from './redis-answers.ts';
import { redisWarnings } from './redis-condition.ts';
import type { RedisClient, RedisConnections } from './redis-connections.ts';
import { Ear } from './redis-ear.ts';
import { ADMIT, STRIKE, SWAP } from './redis-scripts.ts';
import type { Seal } from './seal.ts';
import { type Change, type Collections, type Held, type Kind, type Store, Updating } from './store.ts';

/** Layout of the records in Redis; raised when an older Sallyport could not read them any more. */
const REDIS_LAYOUT = 1;
/** How often Redis is asked whether it still speaks for the installation, in milliseconds. */
const BEAT_INTERVAL = 1_000;
/** How long a write waits for its replicas, in milliseconds. */
const REPLICA_TIMEOUT = 700;
const SWEEP_INTERVAL = 60_000;
/** Records read or swept in one command. */
const BATCH = 500;
const REPLACED =
  'Redis was emptied, or holds another state than when this gateway started: what was revoked may be forgotten. Restore a back-up or revoke it again, and then restart the gateway';
/** Times an update is tried again because somebody was quicker. */
const UPDATE_ATTEMPTS = 50;

export interface RedisStoreOptions {
  readonly connections: RedisConnections;
  readonly seal: Seal;
  /** What all keys begin with. */
  readonly prefix: string;
  /** Replicas that must have a write before it counts. */
  readonly replicas: number;
  readonly now: () => number;
}

interface Sealed<K extends Kind> {
  readonly value: Collections[K];
  /** Epoch milliseconds; absent for a record that stays. */
  readonly expires?: number;
}

export class RedisStore extends Updating implements Store {
  readonly #options: RedisStoreOptions;
  readonly #client: RedisClient;
  readonly #ear: Ear;
  readonly #timers: readonly NodeJS.Timeout[];
  #confirmedAt = Number.NEGATIVE_INFINITY;
  #warnings: readonly string[] = [];
  /** What marks the records as they were found at the start. */
  #layout = '';
  /** Other records are there now. */
  #replaced = false;
  /** Why the last beat was for nothing. */
  #trouble: string | undefined;

  private constructor(options: RedisStoreOptions, client: RedisClient) {
    super();
    this.#options = options;
    this.#client = client;
    const look = (): Promise<unknown> => client.exists(this.#index('session'));
    this.#ear = new Ear((attempt) => options.connections.listener(attempt), look);
    this.#timers = [
      setInterval(() => void this.#beat().catch(() => undefined), BEAT_INTERVAL).unref(),
      setInterval(() => void this.#look().catch(() => undefined), SWEEP_INTERVAL).unref(),
      setInterval(() => void this.#sweep().catch(() => undefined), SWEEP_INTERVAL).unref(),
    ];
  }

  /** Connects, and checks that what is there was written by this installation. Throws StateError. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const client = await options.connections.client();
    const store = new RedisStore(options, client);
    try {
      await store.#look();
      await store.#claim();
      await store.#beat();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async get<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    const name = this.#name(kind, key);
    const sealed = await answered(this.#client.get(name));
    return this.#unseal<K>(name, sealed)?.value;
  }

  async put<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<void> {
    const name = this.#name(kind, key);
    const life = this.#life(expiresAt);
    if (life !== undefined && life <= 0) {
      await this.take(kind, key);
      return;
    }
    await this.#write((pipeline) => {
      const sealed = this.#seal(name, value, expiresAt);
      if (life === undefined) pipeline.set(name, sealed);
      else pipeline.set(name, sealed, 'PX', life);
      pipeline.zadd(this.#index(kind), score(expiresAt), key);
    });
  }

  async update<K extends Kind>(
    kind: K,
    key: string,
    change: (current: Collections[K] | undefined) => Change<K>,
  ): Promise<boolean> {
    const name = this.#name(kind, key);
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt++) {
      const sealed = await answered(this.#client.get(name));
      const next = change(this.#unseal<K>(name, sealed)?.value);
      if (next === undefined) return false;
      const life = this.#life(next.expiresAt);
      const text = this.#seal(name, next.value, next.expiresAt);
      const [swapped] = await this.#write((pipeline) =>
        pipeline.eval(
          ...([SWAP, 2, name, this.#index(kind)] as const),
          ...([sealed ?? '', text, life === undefined ? '' : Math.max(1, life), key] as const),
          score(next.expiresAt),
        ),
      );
      if (swapped === 1) return true;
    }
    throw new StateError('state-unreachable', `others kept changing the record of kind ${kind}`);
  }

  async take<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    const name = this.#name(kind, key);
    const [sealed] = await this.#write((pipeline) => pipeline.getdel(name).zrem(this.#index(kind), key));
    return this.#unseal<K>(name, sealed as string | null)?.value;
  }

  async remove(kind: Kind, key: string): Promise<boolean> {
    return (await this.take(kind, key)) !== undefined;
  }

  async list<K extends Kind>(kind: K): Promise<readonly Held<K>[]> {
    const keys = await answered(this.#client.zrange(this.#index(kind), '0', '-1'));
    const held: Held<K>[] = [];
    for (let from = 0; from < keys.length; from += BATCH) {
      const some = keys.slice(from, from + BATCH);
      const sealed = await answered(this.#client.mget(some.map((key) => this.#name(kind, key))));
      for (const [index, key] of some.entries()) {
        const record = this.#unseal<K>(this.#name(kind, key), sealed[index]);
        if (record !== undefined) held.push([key, record.value, record.expires ?? Number.POSITIVE_INFINITY]);
      }
    }
    return held.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Earlier versions count under another name, in another form. */
  async admit(key: string, limit: number, period: number): Promise<number> {
    const name = `${this.#options.prefix}:passed:${key}`;
    return (await answered(this.#client.eval(ADMIT, 1, name, limit, period))) as number;
  }

  async publish(channel: string, message: string): Promise<void> {
    const name = this.#channel(channel);
    await answered(this.#client.publish(name, this.#options.seal.close(name, message)));
  }

  async subscribe(channel: string, listener: (message: string) => void, missed: () => void): Promise<void> {
    const name = this.#channel(channel);
    const hear = (sealed: string): void => {
      let message: string;
      try {
        message = this.#options.seal.open(name, sealed);
      } catch {
        return; // Not from a gateway of ours.
      }
      listener(message);
    };
    await answered(this.#ear.listen(name, hear, missed));
  }

  confirmedAt(): number {
    return this.#confirmedAt;
  }

  warnings(): readonly string[] {
    const found = this.#trouble === undefined ? [] : [this.#trouble];
    return [...found, ...(this.#replaced ? [REPLACED] : []), ...this.#warnings];
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#ear.close();
    this.#client.disconnect();
  }

  /** One slot for all records of a kind, so that a record and its entry in the index change together in a Cluster. */
  #name(kind: Kind, key: string): string {
    return `${this.#options.prefix}:{${kind}}:${key}`;
  }

  #index(kind: Kind): string {
    return `${this.#options.prefix}:{${kind}}`;
  }

  #channel(channel: string): string {
    return `${this.#options.prefix}:channel:${channel}`;
  }

  /** Milliseconds that are left, by our clock: Redis counts them by its own, so a wrong clock cannot lengthen them. */
  #life(expiresAt: number | undefined): number | undefined {
    if (expiresAt === undefined || expiresAt >= Number.MAX_SAFE_INTEGER) return undefined;
    return Math.ceil(expiresAt - this.#options.now());
  }

  #seal<K extends Kind>(name: string, value: Collections[K], expires: number | undefined): string {
    return this.#options.seal.close(name, JSON.stringify({ value, expires }));
  }

  #unseal<K extends Kind>(name: string, sealed: string | null | undefined): Sealed<K> | undefined {
    if (sealed === null || sealed === undefined) return undefined;
    const record = JSON.parse(this.#options.seal.open(name, sealed)) as Sealed<K>;
    return (record.expires ?? Number.POSITIVE_INFINITY) > this.#options.now() ? record : undefined;
  }

  /** Answers what each command did, once enough replicas have it too. */
  async #write(fill: (pipeline: ChainableCommander) => unknown): Promise<unknown[]> {
    const { replicas } = this.#options;
    const pipeline = this.#client.pipeline();
    fill(pipeline);
    if (replicas > 0) pipeline.wait(replicas, REPLICA_TIMEOUT);
    const results: unknown[] = [];
    for (const [error, result] of (await answered(pipeline.exec())) ?? []) {
      if (error !== null) throw unanswered(error);
      results.push(result);
    }
    if (replicas > 0 && Number(results.at(-1)) < replicas) {
      const message = `only ${Number(results.at(-1))} of ${replicas} replicas have acknowledged a write within ${REPLICA_TIMEOUT} ms`;
      throw new StateError('state-unacknowledged', message);
    }
    return results;
  }

  /** A primary that was cut off from its replicas answers reads for ever: only an acknowledged write shows it is one. */
  async #beat(): Promise<void> {
    const asked = performance.now();
    try {
      await this.#write((pipeline) =>
        pipeline.set(`${this.#options.prefix}:beat`, '1', 'PX', SWEEP_INTERVAL),
      );
      this.#replaced = (await answered(this.#client.get(`${this.#options.prefix}:layout`))) !== this.#layout;
      this.#confirmedAt = asked;
      this.#trouble = undefined;
    } catch (error) {
      this.#trouble = this.#options.connections.trouble ?? (error as Error).message;
      throw error;
    }
  }

  async #look(): Promise<void> {
    this.#warnings = await answered(redisWarnings(this.#client, this.#options.now));
  }

  /** Strikes from the indexes what Redis let expire. */
  async #sweep(): Promise<void> {
    const past = this.#options.now() - SWEEP_INTERVAL;
    for (const kind of KINDS) {
      for (let struck = BATCH; struck === BATCH; ) {
        const ended = await this.#client.zrangebyscore(this.#index(kind), '-inf', past, 'LIMIT', 0, BATCH);
        const strikes = ended.map((key) =>
          this.#client.eval(STRIKE, 2, this.#name(kind, key), this.#index(kind), key),
        );
        struck = (await Promise.all(strikes)).filter((one) => one === 1).length;
      }
    }
  }

  /** Makes these records this installation's on first use; refuses those of a newer Sallyport or of another secret. */
  async #claim(): Promise<void> {
    const { prefix, seal } = this.#options;
    const name = `${prefix}:layout`;
    const mine = seal.close(name, String(REDIS_LAYOUT));
    await answered(this.#client.set(name, `${REDIS_LAYOUT} ${mine}`, 'NX'));
    this.#layout = (await answered(this.#client.get(name))) ?? '';
    const [layout = '', sealed = ''] = this.#layout.split(' ');
    if (Number(layout) > REDIS_LAYOUT) {
      const message = `the state in Redis has layout ${layout}; this Sallyport knows ${REDIS_LAYOUT}. Use the newer version.`;
      throw new StateError('state-newer', message);
    }
    try {
      seal.open(name, sealed);
    } catch (cause) {
      const message = `the state in Redis under "${prefix}" belongs to an installation with another secret: give every gateway the same file, or another prefix`;
      throw new StateError('state-sealed', message, { cause });
    }
  }
}

function score(expiresAt: number | undefined): number {
  return Math.min(expiresAt ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}
