// The end of a turn of the event loop, in two steps: what was decided in it is recorded, and then what that allows is
// sent, each in as few writes as can be. Nothing waits for longer than the reads that were due when it came.

export class Turn {
  #records: (() => void)[] = [];
  #sends: (() => void)[] = [];
  #due = false;

  /** Once, after all reads that are due now. What then goes on by promises alone may still `send` in the same turn. */
  readonly record = (step: () => void): void => {
    this.#records.push(step);
    this.#schedule();
  };

  /** Once, after the records of this turn and what was waiting for them. */
  readonly send = (step: () => void): void => {
    this.#sends.push(step);
    this.#schedule();
  };

  #schedule(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(this.#record);
  }

  readonly #record = (): void => {
    const steps = this.#records;
    this.#records = [];
    for (const step of steps) step();
    // A tick that a microtask asks for comes when no microtask is left: all that the records allow has been said by then.
    // In another `setImmediate` it would wait for the next reads, and connectors would be idle meanwhile.
    queueMicrotask(this.#later);
  };

  readonly #later = (): void => process.nextTick(this.#send);

  readonly #send = (): void => {
    this.#due = false;
    // What was recorded because of a record comes with the next turn.
    if (this.#records.length > 0) this.#schedule();
    const steps = this.#sends;
    this.#sends = [];
    for (const step of steps) step();
  };
}
