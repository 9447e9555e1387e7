// What one admin may ask of a gateway: so much in a minute, and so much at once. Whoever has a key, their own or a stolen one,
// neither fills the log, which is kept for good and without room for which nothing is allowed, nor keeps the others out.
import { Counts } from '#gateway/state/counts';

const MINUTE = 60_000;
/** In a minute: more than a shell can ask one after the other. */
const REQUESTS = 600;
/** Under way: a quarter of what the socket takes. */
const AT_ONCE = 16;

export class Shares {
  readonly #counts: Counts;
  readonly #underWay = new Map<string, number>();
  readonly #atOnce: number;

  /** `now`: epoch milliseconds. `named`: admins are told apart; otherwise the socket is its owner's, who shares it with nobody. */
  constructor(now: () => number, named: boolean) {
    this.#counts = new Counts(now);
    this.#atOnce = named ? AT_ONCE : Number.POSITIVE_INFINITY;
  }

  /** Takes a request from this admin's minute and answers 0, or the milliseconds until one is left. */
  spend(admin: string): number {
    return this.#counts.admit(admin, REQUESTS, MINUTE);
  }

  /** A request of this admin is under way until `leave`; false if there are too many. */
  enter(admin: string): boolean {
    const others = this.#underWay.get(admin) ?? 0;
    if (others >= this.#atOnce) return false;
    this.#underWay.set(admin, others + 1);
    return true;
  }

  leave(admin: string): void {
    const left = (this.#underWay.get(admin) ?? 1) - 1;
    if (left === 0) this.#underWay.delete(admin);
    else this.#underWay.set(admin, left);
  }
}
