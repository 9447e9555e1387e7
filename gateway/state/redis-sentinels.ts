// Finds the primary that Sentinels name. One of them that hangs, is behind or lies must not keep a gateway from what the
// others know: each is asked in turn, until one has named a server that answers and, over TLS, shows a certificate for
// the address it was named by.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis } from 'ioredis';
import { StateError } from './error.ts';
import { adviceOn } from './redis-advice.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface SentinelsOptions {
  /** The primary's, among Sentinels. */
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** For Sentinels and for the servers they name; undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined;
  /** Milliseconds: for a connection, for a Sentinel's answer, and before all are asked again. */
  readonly connectTimeout: number;
  readonly answerTimeout: number;
  pause(attempt: number): number;
}

/** Milliseconds for a connection that was ended by us to close in order. */
const DISCONNECT_TIMEOUT = 2_000;

/** What ioredis makes a connector of for each connection. They share which Sentinel was right the last time. */
export function sentinelConnector(options: SentinelsOptions): new () => AbstractConnector {
  const order = [...options.addresses];
  return class extends PrimaryConnector {
    constructor() {
      super(options, order);
    }
  };
}

class PrimaryConnector extends AbstractConnector {
  readonly #options: SentinelsOptions;
  /** Whoever was wrong is asked last. */
  readonly #order: Address[];
  #asked: Address | undefined;

  constructor(options: SentinelsOptions, order: Address[]) {
    super(DISCONNECT_TIMEOUT);
    this.#options = options;
    this.#order = order;
  }

  /** `info`: what the server says of itself. */
  override check(info: { readonly role?: string }): boolean {
    const primary = info.role === 'master';
    if (!primary) this.#wasWrong(this.#asked);
    return primary;
  }

  /** Rejects only once nobody wants the connection any more; until then each round that failed is told as an error. */
  override async connect(tell: (type: string, error: Error) => void): Promise<Socket> {
    this.connecting = true;
    for (let attempt = 1; this.connecting; attempt += 1) {
      /** Sentinels, by what is wrong with them. */
      const faults = new Map<string, string[]>();
      const dialled = new Map<string, Error>();
      for (const sentinel of [...this.#order]) {
        if (!this.connecting) break;
        try {
          this.#asked = sentinel;
          const stream = await this.#dial(await this.#ask(sentinel), dialled);
          this.stream = stream;
          if (this.connecting) return stream;
          stream.destroy();
        } catch (error) {
          this.#wasWrong(sentinel);
          const why = (error as Error).message;
          faults.set(why, [...(faults.get(why) ?? []), text(sentinel)]);
        }
      }
      const said = [...faults].map(([why, sentinels]) => `Sentinel ${sentinels.join(', ')}: ${why}`);
      tell('error', new StateError('state-unreachable', said.join('; ')));
      await sleep(this.#options.pause(attempt));
    }
    throw new Error('the connection is not wanted any more');
  }

  #wasWrong(sentinel: Address | undefined): void {
    const index = sentinel === undefined ? -1 : this.#order.indexOf(sentinel);
    if (index >= 0) this.#order.push(...this.#order.splice(index, 1));
  }

  async #ask(sentinel: Address): Promise<Address> {
    const { name, username, password, tls, connectTimeout, answerTimeout } = this.#options;
    const line = new Redis({
      ...sentinel,
      ...{ connectTimeout, commandTimeout: answerTimeout, retryStrategy: null },
      ...{ enableReadyCheck: false, disableClientInfo: true },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(tls === undefined ? {} : { tls }),
    });
    let cause: Error | undefined;
    line.on('error', (error: Error) => {
      cause ??= error;
    });
    try {
      const answer = await line.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
      if (answer === null)
        throw new Error(`it knows no primary "${name}": look at state.redis.sentinel.name`);
      const [host, port] = (Array.isArray(answer) ? answer : []) as unknown[];
      if (typeof host !== 'string' || host === '' || !(Number(port) > 0 && Number(port) < 65_536))
        throw new Error('its answer is not an address');
      return { host, port: Number(port) };
    } catch (error) {
      const why = cause ?? (error as Error);
      throw new Error(adviceOn(why, 'state.redis.sentinel', tls !== undefined), { cause: why });
    } finally {
      line.disconnect();
    }
  }

  /** `dialled`: what came of those that others have named already; a hung one is not waited for again. */
  async #dial(primary: Address, dialled: Map<string, Error>): Promise<Socket> {
    const { tls, connectTimeout } = this.#options;
    const place = text(primary);
    const before = dialled.get(place);
    if (before !== undefined) throw before;
    const stream = tls === undefined ? connect(primary) : connectTls({ ...tls, ...primary });
    try {
      const signal = AbortSignal.timeout(connectTimeout);
      await once(stream, tls === undefined ? 'connect' : 'secureConnect', { signal });
    } catch (cause) {
      stream.destroy();
      const silent = (cause as Error).name === 'AbortError';
      const why = silent ? 'it does not answer' : adviceOn(cause as Error, 'state.redis', tls !== undefined);
      const fault = new Error(`it names ${place} as the primary, which cannot be used: ${why}`, { cause });
      dialled.set(place, fault);
      throw fault;
    }
    stream.once('error', (error) => {
      this.firstError = error;
    });
    return stream;
  }
}

function text({ host, port }: Address): string {
  return `${host}:${port}`;
}
