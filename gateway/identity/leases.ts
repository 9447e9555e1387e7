// What this gateway may rely on without asking the store: sessions and doors read lately. A lease ends by itself after
// at most LEASE, counted from when the store last spoke for the whole installation, so that being cut off is a deny.
import type { Door, Store } from '#gateway/state/store';
import type { LiveSession } from './live-session.ts';

/** Milliseconds. With the longest wait for an answer it stays within the promised 30 s. */
export const LEASE = 25_000;
/** Of each kind; the oldest goes first. */
const LIMIT = 200_000;

interface Leased<T> {
  readonly value: T;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** When a look at the store began: only what nobody ended since then may be kept. */
export interface Asked {
  readonly at: number;
  readonly ends: number;
}

export class Leases {
  readonly #store: Pick<Store, 'confirmedAt'>;
  readonly #clock: () => number;
  readonly #sessions = new Map<string, Leased<LiveSession>>();
  readonly #doors = new Map<string, Leased<Door>>();
  #ends = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(store: Pick<Store, 'confirmedAt'>, clock: () => number = () => performance.now()) {
    this.#store = store;
    this.#clock = clock;
  }

  /** False while the store speaks for nobody: then what it says may be long out of date. */
  get trusted(): boolean {
    return this.#clock() - this.#store.confirmedAt() < LEASE;
  }

  session(id: string): LiveSession | undefined {
    const leased = this.#sessions.get(id);
    return leased !== undefined && this.#clock() < leased.until ? leased.value : undefined;
  }

  door(hash: string): Door | undefined {
    const leased = this.#doors.get(hash);
    return leased !== undefined && this.#clock() < leased.until ? leased.value : undefined;
  }

  /** To be called before the store is asked. */
  asking(): Asked {
    return { at: this.#clock(), ends: this.#ends };
  }

  keepSession(session: LiveSession, asked: Asked): void {
    this.#keep(this.#sessions, session.id, session, asked);
  }

  keepDoor(hash: string, door: Door, asked: Asked): void {
    this.#keep(this.#doors, hash, door, asked);
  }

  /** The same session with other facts, for the rest of its lease. */
  amend(session: LiveSession): void {
    const leased = this.#sessions.get(session.id);
    if (leased !== undefined) this.#sessions.set(session.id, { value: session, until: leased.until });
  }

  /** Ends the leases of every session that `ended` says is over; says how many. */
  end(ended: (session: LiveSession) => boolean): number {
    this.#ends += 1;
    let count = 0;
    for (const [id, { value }] of this.#sessions) {
      if (ended(value) && this.#sessions.delete(id)) count += 1;
    }
    return count;
  }

  endSession(id: string): void {
    this.#ends += 1;
    this.#sessions.delete(id);
  }

  endDoor(hash: string): void {
    this.#ends += 1;
    this.#doors.delete(hash);
  }

  /** Ends all, when nobody knows what was missed. */
  endAll(): void {
    this.#ends += 1;
    this.#sessions.clear();
    this.#doors.clear();
  }

  /** Drops what has run out, so that memory holds only who is active. */
  sweep(): void {
    const now = this.#clock();
    for (const leases of [this.#sessions, this.#doors] as const) {
      for (const [key, { until }] of leases) if (until <= now) leases.delete(key);
    }
  }

  #keep<T>(leases: Map<string, Leased<T>>, key: string, value: T, asked: Asked): void {
    if (asked.ends !== this.#ends) return;
    leases.delete(key);
    leases.set(key, { value, until: Math.min(asked.at, this.#store.confirmedAt()) + LEASE });
    if (leases.size > LIMIT) {
      const oldest = leases.keys().next();
      if (!oldest.done) leases.delete(oldest.value);
    }
  }
}
