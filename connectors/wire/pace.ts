// How many bytes a tunnel may have in flight: about twice what the line holds, so that a small request never waits
// behind more than that. Capping only the local send buffer would do nothing, the queue would stand in the network.
import type { Limits } from './limits.ts';

/**
 * Bytes in flight at which a round trip is measured. One that is taken behind a queue of our own counts the queue as
 * part of the line, and would only justify it. Above what a peer may leave unacknowledged.
 */
const QUIET = 64 * 1024;
/** The smallest of so many round trips is believed: what disturbs one of them only adds to it. */
const TRIPS = 3;
/** Milliseconds that are always allowed for a trip: turns of the event loops at both ends, which a ping does not meet. */
const TURNS = 3;
/** Milliseconds that one rate sample takes at least. */
const RATE_INTERVAL = 10;
/** Share of the best rate kept at each sample: a rate once seen is forgotten within a second or two. */
const RATE_DECAY = 0.97;

export class Pace {
  readonly #min: number;
  readonly #max: number;
  readonly #clock: () => number;
  #sent = 0;
  #acked = 0;
  #cap: number;
  /** Waits for the line to run down. */
  #ping: (() => void) | undefined;
  /** When the ping that is out was sent; -1 while none is. */
  #pingedAt = -1;
  readonly #trips: number[] = [];
  #rtt: number | undefined;
  /** Bytes per millisecond. */
  #rate = 0;
  #sampleAt = 0;
  /** Acknowledged before the sample, and what is when it ends. */
  #sampleFrom = 0;
  #sampleTo = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(limits: Limits, clock: () => number) {
    this.#min = limits.minInFlight;
    this.#max = limits.maxInFlight;
    this.#cap = limits.minInFlight;
    this.#clock = clock;
  }

  /** Bytes that may be sent now. */
  get room(): number {
    const measuring = this.#ping !== undefined || this.#pingedAt !== -1;
    return (measuring ? QUIET : this.#cap) - (this.#sent - this.#acked);
  }

  /** Smallest recent round trip in milliseconds, or undefined. */
  get rtt(): number | undefined {
    return this.#rtt;
  }

  /** Milliseconds of a trip there and back: the smallest recent one, or what both event loops may take. */
  get trip(): number {
    return Math.max(TURNS, this.#rtt ?? 0);
  }

  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** False: more was acknowledged than sent. */
  acked(bytes: number): boolean {
    this.#acked += bytes;
    if (this.#acked > this.#sent) return false;
    this.#pingWhenQuiet();
    this.#sample();
    return true;
  }

  /**
   * A sample lasts until all that was in flight at its beginning has arrived. On a line that is shared, bytes come in
   * clumps: over less than that, a clump at the line's rate would count as ours.
   */
  #sample(): void {
    const now = this.#clock();
    const elapsed = now - this.#sampleAt;
    if (this.#acked < this.#sampleTo || elapsed < RATE_INTERVAL) return;
    this.#rate = Math.max(this.#rate * RATE_DECAY, (this.#acked - this.#sampleFrom) / elapsed);
    this.#sampleAt = now;
    this.#sampleFrom = this.#acked;
    this.#sampleTo = this.#sent;
    const wanted = 2 * this.#rate * this.trip;
    this.#cap = Math.min(this.#max, Math.max(this.#min, wanted));
  }

  /** Measures the round trip: lets the line run down and has `ping` send one. Ends with `ponged`. */
  measure(ping: () => void): void {
    this.#ping = ping;
    this.#pingWhenQuiet();
  }

  #pingWhenQuiet(): void {
    const ping = this.#ping;
    if (ping === undefined || this.#sent - this.#acked > QUIET) return;
    this.#ping = undefined;
    this.#pingedAt = this.#clock();
    ping();
  }

  /** The ping was answered: what waited may go again. */
  ponged(): void {
    if (this.#pingedAt === -1) return;
    this.#trips.push(this.#clock() - this.#pingedAt);
    this.#pingedAt = -1;
    if (this.#trips.length > TRIPS) this.#trips.shift();
    this.#rtt = Math.min(...this.#trips);
  }
}
