// How long to wait before dialling again: full jitter, so that a gateway's restart does not bring all connectors back
// in the same second.

/** Milliseconds. */
const FIRST = 1000;
const LONGEST = 30_000;
/** A connection this old was a good one: the next loss starts from the beginning. */
const HEALTHY = 30_000;
/** One that ended in order was a good one sooner: a gateway that is restarted says goodbye, one in trouble does not. */
const SERVED = 5_000;

export class Backoff {
  readonly #random: () => number;
  readonly #clock: () => number;
  #failures = 0;
  #connectedAt: number | undefined;

  /** `random`: 0 to 1, evenly; `clock`: monotonic milliseconds. */
  constructor(random: () => number, clock: () => number) {
    this.#random = random;
    this.#clock = clock;
  }

  connected(): void {
    this.#connectedAt = this.#clock();
  }

  /** Milliseconds to wait after a failure or a loss. `inOrder`: the other end said goodbye. */
  next(inOrder = false): number {
    const enough = inOrder ? SERVED : HEALTHY;
    if (this.#connectedAt !== undefined && this.#clock() - this.#connectedAt >= enough) this.#failures = 0;
    this.#connectedAt = undefined;
    const ceiling = Math.min(LONGEST, FIRST * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    return this.#random() * ceiling;
  }
}
