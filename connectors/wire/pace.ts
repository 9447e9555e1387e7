// How many bytes a tunnel may have in flight: what the line holds and a little more, so that a small request hardly waits
// behind bulk. Capping only the local send buffer would do nothing, the queue would stand in the network.
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
/** Milliseconds that bulk may wait for bulk: without any the line would idle each time that an event loop is late. */
const QUEUE = 8;
/** The same as a share of the trip, where that is more: over a long line one is late by more. */
const QUEUE_SHARE = 1 / 4;
/** How much of what a sample asks for is done: its effect is seen only a trip later. */
const STEP = 1 / 2;

/**
 * The control law is that of FAST TCP (Wei, Jin, Low, Hegde: FAST TCP, IEEE/ACM Transactions on Networking 14(6), 2006):
 * a trip under load that takes longer than one without by more than `QUEUE` says that less may be in flight. It holds for
 * any number of tunnels on one line, since each of them is told by the queue that all make.
 */
export class Pace {
  readonly #min: number;
  readonly #max: number;
  /** What a peer may leave unacknowledged, so that it is in flight without being on the line. */
  readonly #unseen: number;
  readonly #clock: () => number;
  #sent = 0;
  #acked = 0;
  #cap: number;
  /** No queue was seen yet: what is in flight doubles each trip. */
  #starting = true;
  /** Most bytes in flight since the last measurement. */
  #peak = 0;
  /** Waits for the line to run down. */
  #ping: (() => void) | undefined;
  /** When the ping that is out was sent; -1 while none is. */
  #pingedAt = -1;
  readonly #trips: number[] = [];
  #rtt: number | undefined;
  /** The byte that is timed, when it was sent, and what had arrived then; -1 while none is. */
  #timed = -1;
  #timedAt = 0;
  #timedFrom = 0;
  /** Bytes per millisecond of the last sample. */
  #rate = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(limits: Limits, clock: () => number) {
    this.#min = limits.minInFlight;
    this.#max = limits.maxInFlight;
    this.#unseen = limits.ackEvery;
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
    const inFlight = this.#sent - this.#acked;
    if (inFlight > this.#peak) this.#peak = inFlight;
    // Only a tunnel that is full says what one more byte would meet.
    if (this.#timed !== -1 || inFlight < this.#cap) return;
    this.#timed = this.#sent;
    this.#timedAt = this.#clock();
    this.#timedFrom = this.#acked;
  }

  /** False: nothing was acknowledged, or more than was sent. */
  acked(bytes: number): boolean {
    this.#acked += bytes;
    if (bytes === 0 || this.#acked > this.#sent) return false;
    this.#pingWhenQuiet();
    if (this.#timed === -1) return true;
    if (this.#acked >= this.#timed) {
      this.#timed = -1;
      this.#sample(this.#acked - this.#timedFrom, Math.max(1, this.#clock() - this.#timedAt));
    } else if (this.#sent - this.#acked < this.#unseen) {
      // It may be acknowledged only with what is sent after a pause.
      this.#timed = -1;
    }
    return true;
  }

  /** Of a full tunnel: so many bytes arrived in the milliseconds in which one of them went there and was acknowledged. */
  #sample(bytes: number, elapsed: number): void {
    const rtt = this.#rtt;
    if (rtt === undefined) return;
    const target = rtt + Math.max(QUEUE, rtt * QUEUE_SHARE);
    if (elapsed > target) this.#starting = false;
    // The better of two: one that an event loop was late for says nothing about the line.
    const rate = bytes / elapsed;
    const wanted = Math.max(rate, this.#rate) * target + this.#unseen;
    this.#rate = rate;
    const cap = this.#starting ? Math.max(this.#cap, 2 * bytes) : this.#cap + STEP * (wanted - this.#cap);
    this.#cap = Math.min(this.#max, Math.max(this.#min, cap));
  }

  /** Measures the round trip: lets the line run down and has `ping` send one. Ends with `ponged`. */
  measure(ping: () => void): void {
    // What was not used for so long may no longer be true (RFC 7661).
    if (this.#peak < this.#cap / 2) {
      this.#cap = Math.max(this.#min, this.#peak);
      this.#starting = true;
    }
    this.#peak = 0;
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
