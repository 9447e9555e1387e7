// Answers of the store that are asked for again and again: each is asked for at most every half second, since everything
// open is reviewed each second, and what another gateway learnt must count within two. While the store is away the last
// answer counts for as long as a lease, as that of the session does.
import { LEASE } from '#gateway/identity/leases';

/** Milliseconds for which an answer is kept. */
const FRESH = 500;
/** Keys of which an answer is kept; when there are more, all are asked for again. */
const MAX_KEPT = 50_000;

export class Recent<T> {
  readonly #clock: () => number;
  #kept = new Map<string, { readonly at: number; readonly answer: Promise<T> }>();
  /** What the store said last, and when it was asked. */
  #said = new Map<string, { readonly at: number; readonly value: T }>();

  /** `clock`: monotonic milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Something has changed: no answer that was asked for before this counts any more. */
  clear(): void {
    this.#kept = new Map();
    this.#said = new Map();
  }

  get(key: string, ask: () => Promise<T>): Promise<T> {
    const at = this.#clock();
    const kept = this.#kept.get(key);
    if (kept !== undefined && at - kept.at < FRESH) return kept.answer;
    if (this.#kept.size >= MAX_KEPT) this.clear();
    const answer = this.#asked(key, at, ask);
    this.#kept.set(key, { at, answer });
    // A failure is the answer to those who wait for it, and to nobody after them.
    const keeps = this.#kept;
    answer.catch(() => keeps.delete(key));
    return answer;
  }

  async #asked(key: string, at: number, ask: () => Promise<T>): Promise<T> {
    const said = this.#said;
    try {
      const value = await ask();
      if (at > (said.get(key)?.at ?? Number.NEGATIVE_INFINITY)) said.set(key, { at, value });
      return value;
    } catch (error) {
      const last = said.get(key);
      if (last === undefined || said !== this.#said || this.#clock() - last.at >= LEASE) throw error;
      return last.value;
    }
  }
}
