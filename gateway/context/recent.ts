// Answers of the store that are asked for again and again: each is asked for at most every half second, since everything
// open is reviewed each second, and what another gateway learnt must count within two.

/** Milliseconds for which an answer is kept. */
const FRESH = 500;
/** Keys of which an answer is kept; when there are more, all are asked for again. */
const MAX_KEPT = 50_000;

export class Recent<T> {
  readonly #clock: () => number;
  readonly #kept = new Map<string, { readonly at: number; readonly answer: Promise<T> }>();

  /** `clock`: monotonic milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  clear(): void {
    this.#kept.clear();
  }

  get(key: string, ask: () => Promise<T>): Promise<T> {
    const at = this.#clock();
    const kept = this.#kept.get(key);
    if (kept !== undefined && at - kept.at < FRESH) return kept.answer;
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    const answer = ask();
    this.#kept.set(key, { at, answer });
    // A failure is the answer to those who wait for it, and to nobody after them.
    answer.catch(() => this.#kept.delete(key));
    return answer;
  }
}
