// Streams under way of one connector among others on a link they share: the session counts them all together. A stream that
// has ended is let go of when they are counted, and before as many again have come.

/** Entries up to which none is looked at. */
const FEW = 64;

export class UnderWay {
  readonly #streams = new Set<{ readonly closed: boolean }>();
  #lookAt = FEW;

  add(stream: { readonly closed: boolean }): void {
    this.#streams.add(stream);
    if (this.#streams.size > this.#lookAt) this.#lookAt = Math.max(FEW, 2 * this.count);
  }

  get count(): number {
    for (const stream of this.#streams) if (stream.closed) this.#streams.delete(stream);
    return this.#streams.size;
  }

  /** Streams that are held, ended ones included. */
  get kept(): number {
    return this.#streams.size;
  }
}
