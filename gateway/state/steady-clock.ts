// A clock that never runs backwards: what has expired stays expired when somebody sets the machine's clock back.
// Forward it follows at once, which at worst ends things too early.

/** A difference that is made up for without a word, in milliseconds. */
const TOLERANCE = 60_000;

export class SteadyClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #base: number;
  #since: number;
  #pretended = 0;

  /** `wall`: epoch milliseconds as the machine has them; `monotonic`: milliseconds that nobody can set. */
  constructor(wall: () => number, monotonic: () => number = () => performance.now()) {
    this.#wall = () => wall() + this.#pretended;
    this.#monotonic = monotonic;
    this.#base = wall();
    this.#since = monotonic();
  }

  /** Epoch milliseconds, never less than before. */
  readonly now = (): number => {
    const steady = this.#base + Math.max(0, Math.floor(this.#monotonic() - this.#since));
    const wall = this.#wall();
    if (wall <= steady) return steady;
    this.#base = wall;
    this.#since = this.#monotonic();
    return wall;
  };

  /** The machine's clock is off by so many milliseconds from now on; for drills, so only backwards. */
  pretend(offset: number): void {
    this.#pretended = Math.min(0, offset);
  }

  /** Milliseconds by which the machine's clock was set back, beyond what is tolerated; else 0. */
  get setBack(): number {
    const behind = this.now() - this.#wall();
    return behind > TOLERANCE ? behind : 0;
  }
}
