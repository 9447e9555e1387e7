// Keeps a tunnel to the gateway: dials, redials, renews the certificate, and moves to a new tunnel before it lets an
// old one go. It must never give up, and never dial in step with other connectors.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hello } from '../wire/hello.ts';
import { type Limits, TICK_MS } from '../wire/limits.ts';
import type { OpenRequest } from '../wire/open.ts';
import { Session } from '../wire/session.ts';
import type { Budget } from '../wire/session-options.ts';
import type { Stream, StreamHandler } from '../wire/stream.ts';
import { overWebSocket } from '../wire/transport.ts';
import { Backoff } from './backoff.ts';
import { DialError, dial } from './dial.ts';
import { renew, renewalTime } from './enrol.ts';
import type { Identity } from './identity.ts';
import { EnrolError } from './token.ts';

/** The part of a pino logger that a connector uses. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface LinkOptions {
  readonly gateway: URL;
  readonly name: string;
  readonly identity: Identity;
  readonly hello: Hello;
  readonly limits: Limits;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  onOpen(stream: Stream, request: OpenRequest, fin: boolean): StreamHandler;
  /** A renewed identity, to be kept. */
  onIdentity(identity: Identity): void;
}

export class Link {
  /** Resolves at the first welcome. */
  readonly ready: Promise<void>;
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #budget: Budget = { held: 0 };
  readonly #stop = new AbortController();
  readonly #ticker: NodeJS.Timeout;
  readonly #welcomed: () => void;
  /** All that are open; `#current` is the one that takes new streams. */
  readonly #sessions = new Set<Session>();
  #current: Session | undefined;
  #identity: Identity;
  #renewAt: number;
  #dialling = false;
  #idle: (() => void) | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#renewAt = renewalTime(options.identity);
    this.#backoff = new Backoff(options.random, options.clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#welcomed = resolve;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    void this.#connect(false);
  }

  #tick(): void {
    for (const session of [...this.#sessions]) session.tick();
    if (this.#options.now() >= this.#renewAt) void this.#renew();
  }

  /** Dials until there is a tunnel. `lost`: wait first, since the last one ended without notice. */
  async #connect(lost: boolean): Promise<void> {
    if (this.#dialling || this.#stop.signal.aborted) return;
    this.#dialling = true;
    const { log, gateway } = this.#options;
    let wait = lost ? this.#backoff.next() : 0;
    for (;;) {
      try {
        await sleep(wait, undefined, { signal: this.#stop.signal });
        await this.#establish();
        break;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!(error instanceof DialError)) throw error;
        wait = this.#backoff.next();
        const seconds = Math.round(wait / 100) / 10;
        log.warn(
          { code: error.code, gateway: gateway.origin, retrySeconds: seconds },
          `no tunnel: ${error.message}; trying again in ${seconds} s`,
        );
      }
    }
    this.#dialling = false;
    // It may have been lost between its welcome and here.
    if (this.#current === undefined) void this.#connect(true);
  }

  /** One dial, through the hello. The new session becomes the current one, and the old one is let go after that. */
  async #establish(): Promise<void> {
    const { gateway, hello, limits, clock, log, onOpen } = this.#options;
    const ws = await dial(gateway, this.#identity);
    if (this.#stop.signal.aborted) {
      ws.terminate();
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const session: Session = new Session({
      ...{ transport: overWebSocket(ws), limits, budget: this.#budget, clock },
      greeting: { hello },
      onReady: () => resolve(),
      onOpen,
      onGoaway: () => {
        if (this.#current !== session) return;
        this.#current = undefined;
        log.info({ gateway: gateway.origin }, 'the gateway sends this connector elsewhere; dialling again');
        void this.#connect(false);
      },
      onClose: (code, why) => {
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#idle?.();
        reject(new DialError('refused', `${gateway.origin} ended the tunnel: ${why}`));
        if (this.#current !== session) return;
        this.#current = undefined;
        if (!this.#stop.signal.aborted) log.warn({ code, gateway: gateway.origin }, `tunnel lost: ${why}`);
        void this.#connect(true);
      },
    });
    this.#sessions.add(session);
    await promise;
    const previous = this.#current;
    this.#current = session;
    this.#backoff.connected();
    this.#welcomed();
    log.info({ gateway: gateway.origin, apps: hello.apps }, `connected to ${gateway.origin}`);
    previous?.goAway();
  }

  /** A new certificate, then a new tunnel with it, then goodbye to the old: nothing is dropped. */
  async #renew(): Promise<void> {
    const { gateway, name, log, now, random, onIdentity } = this.#options;
    const before = this.#identity;
    this.#renewAt = Number.POSITIVE_INFINITY;
    try {
      const identity = await renew(gateway, name, before);
      onIdentity(identity);
      this.#identity = identity;
      this.#renewAt = renewalTime(identity);
      const until = new Date(identity.notAfter).toISOString();
      log.info({ until }, `certificate renewed; it holds until ${until}`);
      if (this.#current !== undefined) void this.#connect(false);
    } catch (error) {
      if (!(error instanceof EnrolError)) throw error;
      const left = before.notAfter - now();
      // Often enough to get through before it runs out, and not in step with others.
      this.#renewAt = now() + (0.5 + random()) * Math.min(3_600_000, Math.max(5000, left / 6));
      const until = new Date(before.notAfter).toISOString();
      log.error(
        { code: error.code, until },
        `certificate not renewed: ${error.message}; it ${left > 0 ? 'holds until' : 'ran out at'} ${until}`,
      );
    }
  }

  /** Takes no new streams, lets open ones finish for up to `graceMs`, then cuts. */
  async close(graceMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#current = undefined;
    for (const session of [...this.#sessions]) session.goAway();
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const grace = setTimeout(resolve, graceMs);
      await promise;
      clearTimeout(grace);
    }
    for (const session of [...this.#sessions]) session.end('going-away', 'the connector stops');
    clearInterval(this.#ticker);
  }
}
