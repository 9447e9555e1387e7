// How an exchange ended: told once, by whoever ends it first.
import type { RelayFailure, RelayOutcome, RelayResult } from './relay.ts';

/** What had gone through by then. */
export type Carried = Pick<RelayResult, 'headSent' | 'status' | 'bytesIn' | 'bytesOut' | 'connector'>;

export class Ending {
  readonly told: Promise<RelayResult>;
  #tell: (result: RelayResult) => void = () => {};
  #over = false;

  constructor() {
    this.told = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** What comes after the first is not told. */
  tell(carried: Carried, outcome: RelayOutcome, failure?: RelayFailure, detail?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#tell({ outcome, failure, detail: detail === '' ? undefined : detail, ...carried });
  }
}
