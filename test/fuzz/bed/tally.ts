// What one corpus of bad inputs is asked for and what it answers, and the random numbers that make it repeatable.

export interface FuzzOptions {
  /** Runs for about that long, in seconds. */
  readonly seconds: number;
  readonly seed: number;
  /** Stops after that many inputs, whatever time is left. */
  readonly inputs?: number;
}

/** Everything but `inputs` and `slowest_ms` must be 0. */
export interface FuzzFigures {
  readonly inputs: number;
  /** Inputs that something threw at, or answered in a way that cannot be. */
  readonly crashes: number;
  /** What an app received without an allow in the outbox. */
  readonly unrecorded_allows: number;
  /** Counted at the app's own side. */
  readonly upstream_bytes_without_allow: number;
  /** What a corpus of things to refuse took for good, where it has any. */
  readonly accepted?: number;
  /** Longest that one input, or one turn of the event loop, took of the processor. */
  readonly slowest_ms: number;
  /** The first inputs that failed, as text that shows them whole. */
  readonly failing?: readonly string[];
}

/** Random numbers from a seed: mulberry32, small, and the same everywhere. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 1, evenly. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  chance(of: number): boolean {
    return this.next() < of;
  }
}

/** Counts what a corpus tries, and when it has tried enough. */
export class Tally {
  inputs = 0;
  crashes = 0;
  unrecordedAllows = 0;
  upstreamBytes = 0;
  slowest = 0;
  readonly failing: string[] = [];
  readonly #until: number;
  readonly #most: number;

  constructor({ seconds, inputs = Number.POSITIVE_INFINITY }: FuzzOptions) {
    this.#until = performance.now() + seconds * 1000;
    this.#most = inputs;
  }

  get more(): boolean {
    return this.inputs < this.#most && performance.now() < this.#until;
  }

  fail(input: string, why: unknown): void {
    this.crashes += 1;
    this.note(input, why);
  }

  note(input: string, why: unknown): void {
    const text = why instanceof Error ? `${why.name}: ${why.message}` : String(why);
    if (this.failing.length < 5) this.failing.push(`${text}: ${input.slice(0, 2000)}`);
  }

  /** Processor time of one synchronous step on one input; what it throws is a crash. */
  step(input: () => string, work: () => void): void {
    this.inputs += 1;
    const before = process.threadCpuUsage();
    try {
      work();
    } catch (error) {
      this.fail(input(), error);
    }
    const { user, system } = process.threadCpuUsage(before);
    this.slowest = Math.max(this.slowest, (user + system) / 1000);
  }

  /** The same for work that waits. */
  async trial(input: () => string, work: () => Promise<void>): Promise<void> {
    this.inputs += 1;
    const before = process.threadCpuUsage();
    try {
      await work();
    } catch (error) {
      this.fail(input(), error);
    }
    const { user, system } = process.threadCpuUsage(before);
    this.slowest = Math.max(this.slowest, (user + system) / 1000);
  }

  figures(): FuzzFigures {
    return {
      inputs: this.inputs,
      crashes: this.crashes,
      unrecorded_allows: this.unrecordedAllows,
      upstream_bytes_without_allow: this.upstreamBytes,
      slowest_ms: Math.round(this.slowest * 10) / 10,
      ...(this.failing.length === 0 ? {} : { failing: this.failing }),
    };
  }
}
