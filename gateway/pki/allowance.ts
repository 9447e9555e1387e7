// What keeps an authority from being emptied by whoever may ask it: so many certificates a second, and one for each
// permission.
import { IssueError } from './issued.ts';

/** A second's allowance may be saved up for this many seconds: a fleet comes back at once. */
const BURST = 10;

export class Allowance {
  readonly #perSecond: number;
  readonly #now: () => number;
  #left: number;
  #filledAt: number;

  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#left = perSecond * BURST;
    this.#filledAt = now();
  }

  /** Throws IssueError `too-many`. */
  take(): void {
    const now = this.#now();
    const gained = (Math.max(0, now - this.#filledAt) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond * BURST, this.#left + gained);
    this.#filledAt = now;
    if (this.#left < 1)
      throw new IssueError('too-many', 'too many certificates are asked for; try again shortly');
    this.#left -= 1;
  }
}

/** Permissions that were used, remembered for `memory` milliseconds: for longer than any of them is good. */
export class UsedPermissions {
  readonly #memory: number;
  readonly #now: () => number;
  readonly #used = new Map<string, number>();

  constructor(memory: number, now: () => number) {
    this.#memory = memory;
    this.#now = now;
  }

  /** Throws IssueError `not-permitted` for one that was used. */
  use(id: string): void {
    const now = this.#now();
    for (const [one, at] of this.#used) {
      // In the order in which they were used: the first young one ends it.
      if (at > now - this.#memory) break;
      this.#used.delete(one);
    }
    if (this.#used.has(id)) throw new IssueError('not-permitted', 'this permission was used already');
    this.#used.set(id, now);
  }
}
