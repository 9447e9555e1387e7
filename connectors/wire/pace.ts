// How many bytes a tunnel may have in flight: about twice what the line holds, so that a small request never waits
// behind more than that. Capping only the local send buffer would do nothing, the queue would stand in the network.
import type { Limits } from './limits.ts';

/**
 * Milliseconds for which the smallest round trip is believed. After that the tunnel is let run down to its least
 * in-flight bytes and measured again: a round trip taken behind a standing queue would only justify the queue.
 */
const RTT_MEMORY = 10_000;
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
  #rtt = Number.POSITIVE_INFINITY;
  #rttAt = 0;
  #remeasuring = false;
  /** One byte position timed at a time. */
  #probe = -1;
  #probeAt = 0;
  /** Bytes per millisecond. */
  #rate = 0;
  #sampleAt = 0;
  #sampleBytes = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(limits: Limits, clock: () => number) {
    this.#min = limits.minInFlight;
    this.#max = limits.maxInFlight;
    this.#cap = limits.minInFlight;
    this.#clock = clock;
  }

  /** Bytes that may be sent now. */
  get room(): number {
    return this.#cap - (this.#sent - this.#acked);
  }

  /** Smallest recent round trip in milliseconds, or undefined. */
  get rtt(): number | undefined {
    return this.#rtt === Number.POSITIVE_INFINITY ? undefined : this.#rtt;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
    const inFlight = this.#sent - this.#acked;
    if (this.#probe === -1 && inFlight >= this.#min / 2 && (!this.#remeasuring || inFlight <= this.#min)) {
      this.#probe = this.#sent;
      this.#probeAt = this.#clock();
    }
  }

  /** False: more was acknowledged than sent. */
  acked(bytes: number): boolean {
    this.#acked += bytes;
    if (this.#acked > this.#sent) return false;
    const now = this.#clock();
    if (this.#probe !== -1 && this.#acked >= this.#probe) {
      this.#probe = -1;
      if (this.#remeasuring) this.#rtt = Number.POSITIVE_INFINITY;
      this.#remeasuring = false;
      this.roundTrip(now - this.#probeAt);
    } else if (!this.#remeasuring && now - this.#rttAt > RTT_MEMORY) {
      this.#remeasuring = true;
      this.#probe = -1;
    }
    this.#sampleBytes += bytes;
    const elapsed = now - this.#sampleAt;
    const interval = Math.max(RATE_INTERVAL, this.rtt ?? RATE_INTERVAL);
    if (elapsed >= interval) {
      // A sample that spans a pause of the source says nothing about the line.
      if (elapsed < 4 * interval) this.#rate = Math.max(this.#rate * RATE_DECAY, this.#sampleBytes / elapsed);
      this.#sampleAt = now;
      this.#sampleBytes = 0;
      const wanted = 2 * this.#rate * (this.rtt ?? 0);
      this.#cap = this.#remeasuring ? this.#min : Math.min(this.#max, Math.max(this.#min, wanted));
    }
    return true;
  }

  /** A measured round trip, from an acknowledgement or a ping. */
  roundTrip(ms: number): void {
    if (ms > this.#rtt) return;
    this.#rtt = ms;
    this.#rttAt = this.#clock();
  }
}
