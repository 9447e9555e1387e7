// Lays the records that are still there beside the leaves of their log, and names what was changed, added or taken out.
import { type Position, segmentPath } from '../../outbox/segment.ts';
import { HASH_BYTES } from '../hash.ts';
import { TILE_WIDTH } from '../tile.ts';
import { type Findings, indexOfHash } from './finding.ts';
import type { Leaves } from './records.ts';
import type { LeavesOfTile } from './tiles.ts';

/** Records looked at to find where they begin in the log, in case the first ones were changed. */
const TRIED = 32;
/** How far apart a record and its leaf are looked for. */
const WINDOW = 65_536;

/** Index of the leaf that belongs to the first record: older ones made room. `row`: hashes of the log. */
export function startOf(records: Leaves, row: Buffer): number {
  const size = row.length / HASH_BYTES;
  for (let tried = 0; tried < Math.min(TRIED, records.count); tried++) {
    const found = indexOfHash(row, records.hash(tried), 0, size);
    if (found >= tried) return found - tried;
  }
  return 0;
}

/** Leaf hashes of a tile from the records, when they begin at leaf `start`. */
export function leavesFromRecords(records: Leaves, start: number): LeavesOfTile {
  return (index, width) => {
    const from = index * TILE_WIDTH - start;
    if (from < 0 || from + width > records.count) return undefined;
    return records.hashes.subarray(from * HASH_BYTES, (from + width) * HASH_BYTES);
  };
}

export interface Alignment {
  readonly directory: string;
  readonly records: Leaves;
  /** Hashes that are vouched for. */
  readonly row: Buffer;
  readonly start: number;
  /** Whether the last record is always there. */
  readonly keepsLast: boolean;
  /** Behind the last record. */
  readonly end: Position;
  readonly findings: Findings;
}

/** Answers how many records follow the last leaf: they wait for the next checkpoint. */
export function align({ directory, records, row, start, keepsLast, end, findings }: Alignment): number {
  const size = row.length / HASH_BYTES;
  const { hashes, count } = records;
  const name = (record: number, problem: string): void => {
    const { segment, offset } = records.place(record) ?? end;
    findings.add(segmentPath(directory, segment), offset, problem);
  };
  let leaf = start;
  let record = 0;
  while (leaf < size && record < count) {
    const expected = row.subarray(leaf * HASH_BYTES, (leaf + 1) * HASH_BYTES);
    const found = records.hash(record);
    if (expected.equals(found)) {
      leaf += 1;
      record += 1;
      continue;
    }
    const later = indexOfHash(hashes, expected, record, Math.min(count, record + WINDOW));
    const ahead = later === -1 ? indexOfHash(row, found, leaf, Math.min(size, leaf + WINDOW)) : -1;
    if (later !== -1) {
      for (; record < later; record++) name(record, 'this record was never logged');
    } else if (ahead !== -1) {
      name(record, `${ahead - leaf} records that were logged are missing before this one`);
      leaf = ahead;
    } else {
      name(record, `this record was changed: it is not leaf ${leaf} of the log`);
      leaf += 1;
      record += 1;
    }
  }
  // Of changes the outbox may have none any more; the last decision it keeps for as long as it is the last.
  if (leaf < size && (count > 0 || keepsLast))
    name(count, `the last ${size - leaf} records that were logged are missing`);
  return count - record;
}
