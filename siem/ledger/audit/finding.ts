// What an audit may find wrong, and where: a file, a byte in it, and what it means.
import { HASH_BYTES } from '../hash.ts';

export interface Finding {
  readonly file: string;
  /** Byte offset; of the first that is wrong, or of the record or hash that it lies in. */
  readonly position?: number;
  readonly problem: string;
}

/** How many findings are told one by one; the rest is counted. */
const MAX_TOLD = 1_000;

/** Gathers findings, each place once. */
export class Findings {
  readonly told: Finding[] = [];
  readonly #files = new Set<string>();
  /** All of them, also those that are not told. */
  count = 0;

  add(file: string, position: number | undefined, problem: string): void {
    this.count += 1;
    this.#files.add(file);
    if (this.told.length < MAX_TOLD) {
      this.told.push({ file, ...(position === undefined ? {} : { position }), problem });
    }
  }

  /** Whether something was found in `file`. */
  names(file: string): boolean {
    return this.#files.has(file);
  }
}

/** Offset of the first byte in which `a` differs from `b`, also by ending; undefined if they are equal. */
export function firstDifference(a: Buffer, b: Buffer): number | undefined {
  if (a.equals(b)) return undefined;
  const shared = Math.min(a.length, b.length);
  for (let offset = 0; offset < shared; offset++) if (a[offset] !== b[offset]) return offset;
  return shared;
}

/** Index of `hash` in a row of hashes from `from` up to but not `to`; -1 if it is not there. */
export function indexOfHash(row: Buffer, hash: Buffer, from: number, to: number): number {
  const end = Math.min(row.length, to * HASH_BYTES);
  for (let at = row.indexOf(hash, from * HASH_BYTES); at !== -1 && at < end; at = row.indexOf(hash, at + 1)) {
    if (at % HASH_BYTES === 0) return at / HASH_BYTES;
  }
  return -1;
}
