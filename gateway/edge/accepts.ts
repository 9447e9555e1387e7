// How many new tunnels are taken: a fleet that lost its gateway comes back at a rate that leaves time for people, and
// no single connector can use up what is for all.

/** Tunnels that one connector's name may open at once, all its replicas together, and a second from then on. */
const BURST_PER_CONNECTOR = 64;
const RATE_PER_CONNECTOR = 8;

/** What may still be taken, refilled as time passes. */
interface Bucket {
  left: number;
  at: number;
}

export class Accepts {
  readonly #rate: number;
  readonly #now: () => number;
  readonly #all: Bucket;
  /** Bounded by the names that certificates were issued for. */
  readonly #byConnector = new Map<string, Bucket>();
  readonly #held = new Set<string>();

  /** `rate`: new tunnels a second, as many at once. `now`: milliseconds. */
  constructor(rate: number, now: () => number) {
    this.#rate = rate;
    this.#now = now;
    this.#all = { left: rate, at: now() };
  }

  /** No tunnel of this connector from now on, until `release`; for drills. */
  hold(connector: string): void {
    this.#held.add(connector);
  }

  release(connector: string): void {
    this.#held.delete(connector);
  }

  /** Whether this connector may open another tunnel now. */
  take(connector: string): boolean {
    if (this.#held.has(connector)) return false;
    let own = this.#byConnector.get(connector);
    if (own === undefined) {
      own = { left: BURST_PER_CONNECTOR, at: this.#now() };
      this.#byConnector.set(connector, own);
    }
    this.#refill(own, RATE_PER_CONNECTOR, BURST_PER_CONNECTOR);
    this.#refill(this.#all, this.#rate, this.#rate);
    if (own.left < 1 || this.#all.left < 1) return false;
    own.left -= 1;
    this.#all.left -= 1;
    return true;
  }

  #refill(bucket: Bucket, rate: number, most: number): void {
    const now = this.#now();
    // A clock that was set back gives nothing and takes nothing.
    const seconds = Math.max(0, now - bucket.at) / 1000;
    bucket.left = Math.min(most, bucket.left + seconds * rate);
    bucket.at = now;
  }
}
