// Holds back what is written to clients until the end of a turn of the event loop, so that the pieces in which a
// tunnel delivers a body leave in one write. It never waits for more than that.

/** Something that collects its writes until it is told to let them go. */
export interface Held {
  release(): void;
}

export class Turn {
  #held: Held[] = [];
  readonly #end = (): void => {
    const held = this.#held;
    this.#held = [];
    for (const one of held) one.release();
  };

  /** `release` is called once, after all reads that are due now. */
  hold(one: Held): void {
    if (this.#held.length === 0) setImmediate(this.#end);
    this.#held.push(one);
  }
}
