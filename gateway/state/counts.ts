// What passed in the last period, by key, in one process: in no period of a limit more than the limit. Bounded: what
// passed longest ago is forgotten first.

/** Parts of a period that are told apart. What passes in the same part is one entry of a log, as old as its latest. */
export const PARTS = 60;

/** Keys: 30 MB with one entry each, 300 MB with full logs. */
const LIMIT = 100_000;

/** Entries, oldest first. The first has ended: what comes after it is counted from its total. */
interface Log {
  /** When the latest of each entry passed, in epoch milliseconds. */
  readonly times: number[];
  /** How many had passed by then. */
  readonly totals: number[];
}

export class Counts {
  readonly #now: () => number;
  /** With the time by which all of a log has ended. What passed longest ago is first. */
  readonly #kept = new Map<string, { readonly log: Log; readonly endsAt: number }>();

  /** `now`: epoch milliseconds, never less than before. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Lets one more pass and answers 0, or the milliseconds after which one would. In no `period` milliseconds more than
   * `limit` pass, which is at least 1; nobody is refused unless as many have passed in the last period and a sixtieth.
   * What is refused is not counted.
   */
  admit(key: string, limit: number, period: number): number {
    const now = this.#now();
    const log = this.#kept.get(key)?.log ?? { times: [now - period], totals: [0] };
    const ended = endedBy(log, now - period);
    const wait = waitIn(log, ended, limit, now - period);
    if (wait > 0) return wait;
    add(log, ended, now, period / PARTS);
    this.#kept.delete(key);
    this.#kept.set(key, { log, endsAt: now + period });
    if (this.#kept.size > LIMIT) {
      const oldest = this.#kept.keys().next();
      if (!oldest.done) this.#kept.delete(oldest.value);
    }
    return 0;
  }

  /** What `admit` would answer; nothing is counted. */
  wait(key: string, limit: number, period: number): number {
    const log = this.#kept.get(key)?.log;
    const since = this.#now() - period;
    return log === undefined ? 0 : waitIn(log, endedBy(log, since), limit, since);
  }

  sweep(): void {
    const now = this.#now();
    for (const [key, { endsAt }] of this.#kept) if (endsAt <= now) this.#kept.delete(key);
  }
}

/** The last entry that has ended, of which there is always one. */
function endedBy({ times }: Log, since: number): number {
  const next = times.findIndex((time, index) => index > 0 && time > since);
  return (next === -1 ? times.length : next) - 1;
}

/** Until the entry has ended after which fewer than `limit` are left; 0 if that is `ended`. */
function waitIn({ times, totals }: Log, ended: number, limit: number, since: number): number {
  const most = (totals.at(-1) ?? 0) - limit;
  const last = totals.findIndex((total, index) => index >= ended && total > most);
  return last === ended ? 0 : (times[last] ?? 0) - since;
}

function add({ times, totals }: Log, ended: number, now: number, part: number): void {
  const total = (totals.at(-1) ?? 0) + 1;
  const newest = times.length - 1;
  if (Math.floor((times[newest] ?? 0) / part) === Math.floor(now / part)) {
    times.pop();
    totals.pop();
  }
  times.push(now);
  totals.push(total);
  times.splice(0, ended);
  totals.splice(0, ended);
}
