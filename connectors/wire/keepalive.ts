// Notices a peer that went away without a word: a ping each few seconds, and death by silence after one.
// Any bytes count as life, so a long queue in front of a PONG never kills a tunnel that works.
import { WireError } from './error.ts';
import type { Limits } from './limits.ts';

/** Signals a second beyond which a peer only makes us work. */
const MAX_SIGNALS = 16;
/** Pings a second apart at the beginning: the first trips tell of processes that warm up more than of the line. */
const EARLY_PINGS = 2;

export class KeepAlive {
  readonly #limits: Limits;
  readonly #send: (payload: Buffer) => void;
  #early = EARLY_PINGS;
  /** Seconds of silence since an unanswered ping; -1 while none is out. */
  #silent = -1;
  #serial = 0;
  #signals = 0;

  /** `send` puts a PING on the line, past all queues. */
  constructor(limits: Limits, send: (payload: Buffer) => void) {
    this.#limits = limits;
    this.#send = send;
  }

  /** A ping has been out for a while, and nothing was heard since. */
  get silent(): boolean {
    return this.#silent > this.#limits.doubtSeconds;
  }

  heard(): void {
    this.#silent = -1;
  }

  ping(): void {
    if (this.#silent < 0) this.#silent = 0;
    this.#serial = (this.#serial + 1) >>> 0;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#serial, 4);
    this.#send(payload);
  }

  /** Called each second, with its number. False: the peer is dead. */
  tick(second: number): boolean {
    this.#signals = 0;
    if (this.#silent >= 0) this.#silent += 1;
    if (this.#silent > this.#limits.pongSeconds) return false;
    if (this.#early > 0 || second % this.#limits.pingSeconds === 0) this.ping();
    this.#early -= 1;
    return true;
  }

  /** Whether this answers the last ping. */
  answers(payload: Buffer): boolean {
    return payload.readUInt32BE(4) === this.#serial;
  }

  /**
   * The peer said something that carries nothing: PING, PONG, GOAWAY, or OPEN to a side that takes no streams.
   * @throws {WireError} `limits` when it does nothing else.
   */
  signalled(what: string): void {
    this.#signals += 1;
    if (this.#signals > MAX_SIGNALS)
      throw new WireError('limits', `too many frames that carry nothing: ${what}`);
  }
}
