// Counters of one process, each of which begins anew when its time is over. Bounded: the oldest goes first.

/** How often something happened, this time included, and the milliseconds until it is counted anew. */
export interface Count {
  readonly count: number;
  readonly left: number;
}

const LIMIT = 200_000;

export class Counts {
  readonly #now: () => number;
  readonly #running = new Map<string, { count: number; readonly endsAt: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  count(key: string, window: number): Count {
    const now = this.#now();
    const known = this.#running.get(key);
    if (known !== undefined && known.endsAt > now) {
      known.count += 1;
      return { count: known.count, left: known.endsAt - now };
    }
    this.#running.delete(key);
    this.#running.set(key, { count: 1, endsAt: now + window });
    if (this.#running.size > LIMIT) {
      const oldest = this.#running.keys().next();
      if (!oldest.done) this.#running.delete(oldest.value);
    }
    return { count: 1, left: window };
  }

  sweep(): void {
    const now = this.#now();
    for (const [key, { endsAt }] of this.#running) if (endsAt <= now) this.#running.delete(key);
  }
}
