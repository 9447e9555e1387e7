// Listens for what other gateways publish. A broken line is replaced, and then whoever listens is told that messages
// may be lost: silence must never be taken for no news.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** Milliseconds between two questions whether the line still stands, and before a broken one is replaced. */
const PING_INTERVAL = 1_000;
const PAUSE = 200;
/** How long who wants to listen is kept waiting while one server after the other cannot be reached, in milliseconds. */
const PATIENCE = 5_000;

interface Listener {
  readonly hear: (message: string) => void;
  readonly missed: () => void;
}

export class Ear {
  readonly #connect: (attempt: number) => Redis;
  readonly #look: () => Promise<unknown>;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #timer: NodeJS.Timeout;
  #line: Redis | undefined;
  #attempt = 0;
  #closed = false;

  /**
   * `connect` gives a connection that does not reconnect by itself; the number tells which attempt it is. `look` resolves
   * when who is sent to look would be answered.
   */
  constructor(connect: (attempt: number) => Redis, look: () => Promise<unknown>) {
    this.#connect = connect;
    this.#look = look;
    // An unanswered question lets the connection's own time-out see that it is dead.
    this.#timer = setInterval(() => this.#line?.ping().catch(() => undefined), PING_INTERVAL).unref();
  }

  /** Resolves once the channel is heard; rejects when that cannot be had for too long. */
  async listen(channel: string, hear: (message: string) => void, missed: () => void): Promise<void> {
    this.#listeners.set(channel, [...(this.#listeners.get(channel) ?? []), { hear, missed }]);
    if (this.#line === undefined) this.#open();
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      try {
        await this.#line?.subscribe(channel);
        return;
      } catch (error) {
        // The next line may lead elsewhere: to a node of a Cluster that is there.
        if (this.#closed || performance.now() > deadline) throw error;
        await sleep(PAUSE);
      }
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#line?.disconnect();
  }

  #open(): void {
    const line = this.#connect(this.#attempt);
    this.#line = line;
    this.#attempt += 1;
    const again = this.#attempt > 1;
    line.on('error', () => undefined); // 'end' follows.
    line.on('message', (channel, message) => {
      for (const { hear } of this.#listeners.get(channel) ?? []) hear(message);
    });
    if (again) line.on('ready', () => void this.#resume(line));
    line.once('end', () => {
      if (!this.#closed) setTimeout(() => this.#open(), PAUSE).unref();
    });
  }

  #answered(): Promise<boolean> {
    return this.#look().then(
      () => true,
      () => false,
    );
  }

  /**
   * Only once it hears again are those who listen sent to look: looking before would leave a gap. And not before they are
   * answered: what is open would be closed for a state that is back in a moment. Until then leases hold, as for whoever
   * has not heard at all.
   */
  async #resume(line: Redis): Promise<void> {
    try {
      await line.subscribe(...this.#listeners.keys());
    } catch {
      line.disconnect();
      return;
    }
    while (!(await this.#answered())) {
      await sleep(PAUSE, undefined, { ref: false });
      if (this.#closed || this.#line !== line) return;
    }
    for (const listeners of this.#listeners.values()) for (const { missed } of listeners) missed();
  }
}
