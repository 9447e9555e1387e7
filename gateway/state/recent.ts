// The records of an embedded store that were read last, as they are in its file. It is exact only because one process
// owns that file: every write must pass through `forget`, and a record that is not here must be asked of the file.
import type { Collections, Kind } from './store.ts';

/** Records kept of one kind; the one read first goes first. */
const LIMIT = 20_000;

interface Kept {
  readonly value: Collections[Kind];
  /** Epoch milliseconds. */
  readonly expires: number;
}

export class Recent {
  readonly #kinds = new Map<Kind, Map<string, Kept>>();

  /** Undefined: not here, which says nothing of the file. */
  find(kind: Kind, key: string): Kept | undefined {
    return this.#kinds.get(kind)?.get(key);
  }

  /** Keeps what was just read. All who ask share it, so its objects are frozen. */
  keep(kind: Kind, key: string, value: Collections[Kind], expires: number): void {
    let kept = this.#kinds.get(kind);
    if (kept === undefined) {
      kept = new Map();
      this.#kinds.set(kind, kept);
    }
    kept.set(key, { value: frozen(value), expires });
    if (kept.size > LIMIT) {
      const first = kept.keys().next();
      if (!first.done) kept.delete(first.value);
    }
  }

  /** Before anything that changes a record. */
  forget(kind: Kind, key: string): void {
    this.#kinds.get(kind)?.delete(key);
  }

  forgetAll(): void {
    this.#kinds.clear();
  }
}

/** Lists are left to the type checker: writing a frozen one as JSON, as every record does, costs three times as much. */
function frozen<T extends object>(value: T): T {
  for (const member of Object.values(value)) {
    if (typeof member === 'object' && member !== null && !Array.isArray(member)) frozen(member);
  }
  return Object.freeze(value);
}
