// Reads every record that the outbox still has, as leaves of their logs: 32 bytes and a place for each, not the record.
import { readLines } from '../../outbox/read.ts';
import { type Position, segmentPath } from '../../outbox/segment.ts';
import { HASH_BYTES, leafHash } from '../hash.ts';
import { actionOf, CHECKPOINT_ACTION, type LogName, logOf } from '../kinds.ts';
import type { Findings } from './finding.ts';

/** What a checkpoint that was shipped said. */
export interface Claim {
  readonly size: number;
  /** Hex. */
  readonly root: string;
  readonly file: string;
  readonly position: number;
}

/** Leaves of one log in the order of their records. */
export class Leaves {
  #hashes: Buffer = Buffer.alloc(1024 * HASH_BYTES);
  #places: Position[] = [];
  readonly claims: Claim[] = [];

  get count(): number {
    return this.#places.length;
  }

  /** All hashes, one after the other. */
  get hashes(): Buffer {
    return this.#hashes.subarray(0, this.count * HASH_BYTES);
  }

  add(hash: Buffer, place: Position): void {
    const at = this.count * HASH_BYTES;
    if (at === this.#hashes.length) this.#hashes = Buffer.concat([this.#hashes, Buffer.alloc(at)]);
    this.#hashes.set(hash, at);
    this.#places.push(place);
  }

  hash(index: number): Buffer {
    return this.#hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  place(index: number): Position | undefined {
    return this.#places[index];
  }
}

export interface Records {
  readonly leaves: Readonly<Record<LogName, Leaves>>;
  readonly count: number;
  /** Behind the last whole record. */
  readonly end: Position;
}

const SEQUENCE = Buffer.from('"sequence":');

/** Reads the outbox in `directory`; gaps in its sequence are findings. */
export async function readRecords(directory: string, findings: Findings): Promise<Records> {
  const leaves = { changes: new Leaves(), decisions: new Leaves() };
  let count = 0;
  let end: Position = { segment: 0, offset: 0 };
  let last: number | undefined;
  for await (const lines of readLines(directory)) {
    for (const { bytes, position, next } of lines) {
      const action = actionOf(bytes);
      leaves[logOf(action)].add(leafHash(bytes), position);
      const file = segmentPath(directory, position.segment);
      const sequence = sequenceOf(bytes);
      if (last !== undefined && sequence !== last + 1) {
        findings.add(file, position.offset, `sequence ${sequence ?? 'unreadable'} follows ${last}`);
      }
      // After one that cannot be read, the count goes on as if it had been right.
      last = sequence ?? (last === undefined ? undefined : last + 1);
      if (action === CHECKPOINT_ACTION) takeClaim(bytes, leaves, file, position.offset);
      count += 1;
      end = next;
    }
  }
  return { leaves, count, end };
}

function sequenceOf(line: Buffer): number | undefined {
  const at = line.indexOf(SEQUENCE);
  if (at === -1) return undefined;
  const text = /^\d+/.exec(line.toString('latin1', at + SEQUENCE.length, at + SEQUENCE.length + 17))?.[0];
  return text === undefined ? undefined : Number(text);
}

function takeClaim(
  line: Buffer,
  leaves: Readonly<Record<LogName, Leaves>>,
  file: string,
  position: number,
): void {
  try {
    const { log, size, root } = (
      JSON.parse(line.toString('utf8')) as {
        sallyport: { ledger: { log: LogName; size: number; root: string } };
      }
    ).sallyport.ledger;
    leaves[log].claims.push({ size, root, file, position });
  } catch {
    // Not what was recorded: its leaf does not fit either, and that is found.
  }
}
