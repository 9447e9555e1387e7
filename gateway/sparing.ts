// What the log is told once in a while: strangers, and apps that are down, cause the same trouble as often as they like.

/** The same is not told again before this, in milliseconds. */
const PAUSE = 60_000;

export class Sparing {
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  /** `now`: epoch milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether it is to be told now; then it counts as told. `key` must be one of few. */
  isDue(key: string): boolean {
    const now = this.#now();
    if (now - (this.#told.get(key) ?? Number.NEGATIVE_INFINITY) < PAUSE) return false;
    this.#told.set(key, now);
    return true;
  }
}
