// Keeps one tunnel to one gateway: dials, dials again, and moves to a new tunnel before it lets the old one go. It must
// never give up, and never dial in step with other connectors.
import { setTimeout as sleep } from 'node:timers/promises';
import type WebSocket from 'ws';
import type { Hello } from '../wire/hello.ts';
import type { Limits } from '../wire/limits.ts';
import type { Log } from '../wire/log.ts';
import type { OpenRequest } from '../wire/open.ts';
import { Session } from '../wire/session.ts';
import type { Budget, Stream, StreamHandler } from '../wire/stream.ts';
import { overWebSocket } from '../wire/transport.ts';
import { Backoff } from './backoff.ts';
import { DialError, dial } from './dial.ts';
import type { Identity } from './identity.ts';

/** What a tunnel announces, and what it does with the streams that come. */
export interface Offer {
  readonly hello: Hello;
  onOpen(stream: Stream, request: OpenRequest, fin: boolean): StreamHandler;
}

export interface LineOptions {
  readonly gateway: URL;
  /** What to show at the next dial. */
  readonly identity: () => Identity;
  /** For the next dial; the streams of a tunnel go to the offer it was dialled with. */
  readonly offer: () => Offer;
  readonly limits: Limits;
  /** Of the whole process. */
  readonly budget: Budget;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** A tunnel is up. */
  onUp(): void;
}

export class Line {
  readonly #options: LineOptions;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  /** All that are open; `#current` is the one that takes new streams. */
  readonly #sessions = new Set<Session>();
  /** Their transports: what a session said last may still be on its way out. */
  readonly #transports = new Set<WebSocket>();
  #current: Session | undefined;
  #dialling = false;
  /** What a tunnel is to show or announce changed while one was being dialled. */
  #outdated = false;
  #idle: (() => void) | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random, options.clock);
    void this.#connect(0);
  }

  /** Whether there is a tunnel that takes streams. */
  get up(): boolean {
    return this.#current !== undefined;
  }

  tick(second: number): void {
    for (const session of [...this.#sessions]) session.tick(second);
  }

  /** Dials anew, for example with another certificate, and lets the tunnel there is go after that. */
  replace(): void {
    if (this.#dialling) this.#outdated = true;
    else if (this.#current !== undefined) void this.#connect(0);
  }

  /** Dials until there is a tunnel, first after `wait` milliseconds. */
  async #connect(wait: number): Promise<void> {
    if (this.#dialling || this.#stop.signal.aborted) return;
    this.#dialling = true;
    const { log, gateway } = this.#options;
    let pause = wait;
    for (;;) {
      try {
        await sleep(pause, undefined, { signal: this.#stop.signal });
        await this.#establish();
        break;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!(error instanceof DialError)) throw error;
        pause = this.#backoff.next();
        const seconds = Math.round(pause / 100) / 10;
        log.warn(
          { code: error.code, gateway: gateway.origin, retrySeconds: seconds },
          `no tunnel: ${error.message}; trying again in ${seconds} s`,
        );
      }
    }
    this.#dialling = false;
    if (this.#outdated && this.#current !== undefined) void this.#connect(0);
    // It may have been lost between its welcome and here.
    if (this.#current === undefined) void this.#connect(this.#backoff.next());
  }

  /** One dial, through the hello. The new session becomes the current one, and the old one is let go after that. */
  async #establish(): Promise<void> {
    const { gateway, identity, offer, limits, budget, clock, log } = this.#options;
    this.#outdated = false;
    const { hello, onOpen } = offer();
    const ws = await dial(gateway, identity());
    if (this.#stop.signal.aborted) {
      ws.terminate();
      return;
    }
    this.#transports.add(ws);
    ws.once('close', () => {
      this.#transports.delete(ws);
      if (this.#transports.size === 0) this.#idle?.();
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const session: Session = new Session({
      ...{ transport: overWebSocket(ws), limits, budget, clock },
      greeting: { hello },
      // At once: a goodbye may come in the same breath as the welcome.
      onReady: () => {
        this.#takeOver(session, hello.apps);
        resolve();
      },
      onOpen,
      onWorn: () => {
        if (this.#current === session) this.replace();
      },
      onGoaway: () => {
        if (!this.#lost(session, true)) return;
        log.info({ gateway: gateway.origin }, `${gateway.origin} takes no more requests; dialling again`);
      },
      onClose: (code, why) => {
        this.#sessions.delete(session);
        reject(new DialError('refused', `${gateway.origin} ended the tunnel: ${why}`));
        if (!this.#lost(session, false) || this.#stop.signal.aborted) return;
        log.warn({ code, gateway: gateway.origin }, `tunnel lost: ${why}`);
      },
    });
    this.#sessions.add(session);
    await promise;
  }

  #takeOver(session: Session, apps: Hello['apps']): void {
    const { gateway, log, onUp } = this.#options;
    const previous = this.#current;
    this.#current = session;
    this.#backoff.connected();
    log.info({ gateway: gateway.origin, apps }, `connected to ${gateway.origin}`);
    onUp();
    previous?.goAway();
  }

  /**
   * No more streams on this one. False if it was not the current one. The next dial waits its turn also when the gateway
   * says goodbye: it says so to all its connectors at once.
   */
  #lost(session: Session, inOrder: boolean): boolean {
    if (this.#current !== session) return false;
    this.#current = undefined;
    // While dialling goes on it is found at its end.
    if (!this.#dialling) void this.#connect(this.#backoff.next(inOrder));
    return true;
  }

  /** Takes no new streams, lets open ones finish for up to `graceMs`, then cuts. */
  async close(graceMs: number): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#current = undefined;
    for (const session of [...this.#sessions]) session.goAway();
    if (this.#transports.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      const grace = setTimeout(resolve, graceMs);
      await promise;
      clearTimeout(grace);
    }
    this.cut();
  }

  /** Ends every tunnel, with what is open in it. */
  cut(): void {
    for (const session of [...this.#sessions]) session.end('going-away', 'the connector stops');
  }
}
