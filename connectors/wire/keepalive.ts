// Notices a peer that went away without a word: a ping each few seconds, and death by silence after one.
// Any bytes count as life, so a long queue in front of a PONG never kills a tunnel that works.
import { WireError } from './error.ts';
import type { Limits } from './limits.ts';

/** PINGs a second beyond which a peer only makes us write. */
const MAX_PINGS = 16;

export class KeepAlive {
  readonly #limits: Limits;
  readonly #clock: () => number;
  readonly #send: (payload: Buffer) => void;
  #sincePing = 0;
  /** Seconds of silence since an unanswered ping; -1 while none is out. */
  #silent = -1;
  #serial = 0;
  #sentAt = -1;
  #pinged = 0;

  /** `send` puts a PING on the line at once; `clock` is monotonic milliseconds. */
  constructor(limits: Limits, clock: () => number, send: (payload: Buffer) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#send = send;
  }

  heard(): void {
    this.#silent = -1;
  }

  ping(): void {
    this.#sincePing = 0;
    if (this.#silent < 0) this.#silent = 0;
    this.#serial = (this.#serial + 1) >>> 0;
    this.#sentAt = this.#clock();
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(this.#serial, 4);
    this.#send(payload);
  }

  /** Called each second. False: the peer is dead. */
  tick(): boolean {
    this.#pinged = 0;
    if (this.#silent >= 0) this.#silent += 1;
    if (this.#silent > this.#limits.pongSeconds) return false;
    this.#sincePing += 1;
    if (this.#sincePing >= this.#limits.pingSeconds) this.ping();
    return true;
  }

  /** The round trip in milliseconds, if this answers the last ping. */
  pong(payload: Buffer): number | undefined {
    if (this.#sentAt < 0 || payload.readUInt32BE(4) !== this.#serial) return undefined;
    const trip = this.#clock() - this.#sentAt;
    this.#sentAt = -1;
    return trip;
  }

  /** The peer pings. @throws {WireError} `limits` when it does nothing else. */
  pinged(): void {
    this.#pinged += 1;
    if (this.#pinged > MAX_PINGS) throw new WireError('limits', 'too many pings');
  }
}
