// Remembers since when and how often records were refused, so that it can be told once recording works again.
import type { OutboxError, OutboxErrorCode } from './error.ts';

/** A time during which records were refused. */
export interface Interruption {
  readonly code: OutboxErrorCode;
  /** Epoch milliseconds of the first and last refusal. */
  readonly from: number;
  readonly to: number;
  readonly refused: number;
}

export class Troubles {
  readonly #now: () => number;
  #current: Interruption | undefined;
  #past: Interruption | undefined;
  #refused = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get present(): boolean {
    return this.#current !== undefined;
  }

  /** Records refused since the process started. */
  get refused(): number {
    return this.#refused;
  }

  /** One record was refused for `error`, which is answered. */
  refuse(error: OutboxError): OutboxError {
    this.#refused += 1;
    this.note(error, 1);
    return error;
  }

  note(error: OutboxError, refused: number): void {
    const now = this.#now();
    const { code = error.code, from = now, refused: before = 0 } = this.#current ?? {};
    this.#current = { code, from, to: now, refused: before + refused };
  }

  /** A record was kept. */
  over(): void {
    if (this.#current === undefined) return;
    this.#past = this.#current;
    this.#current = undefined;
  }

  /** The last time of refusals, once, after it is over. */
  take(): Interruption | undefined {
    const past = this.#past;
    this.#past = undefined;
    return past;
  }
}
