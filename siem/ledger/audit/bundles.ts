// Checks the entries that a log keeps itself against its leaves, and reads them back.
import { join } from 'node:path';
import { HASH_BYTES, leafHash } from '../hash.ts';
import { splitBundle } from '../log.ts';
import { parseTilePath, TILE_WIDTH, tileWidth } from '../tile.ts';
import { readIn, readTile } from '../tile-reader.ts';
import type { Findings } from './finding.ts';
import { filesBelow, type LeavesOfTile } from './tiles.ts';

const LENGTH_BYTES = 2;

/** Entries of one bundle as it was when the log had `size` leaves. */
export function entriesOf(directory: string, size: number, index: number): Buffer[] {
  const width = tileWidth(size, 0, index);
  const bundle = readTile(directory, 'entries', index, width) ?? Buffer.alloc(0);
  return splitBundle(bundle)
    .slice(0, width)
    .map((member) => member.subarray(LENGTH_BYTES));
}

/** Leaf hashes of a tile, from the bundle that belongs to it. */
export function leavesFromBundles(directory: string, size: number): LeavesOfTile {
  return (index, width) => {
    const entries = entriesOf(directory, size, index);
    return entries.length < width ? undefined : Buffer.concat(entries.map(leafHash));
  };
}

/** The newest entry that `wanted` takes. */
export function lastEntry(
  directory: string,
  size: number,
  wanted: (entry: Buffer) => boolean,
): Buffer | undefined {
  for (let index = Math.ceil(size / TILE_WIDTH) - 1; index >= 0; index--) {
    const found = entriesOf(directory, size, index).findLast(wanted);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `leaves`: hashes that are vouched for, one after the other. */
export function checkBundles(directory: string, leaves: Buffer, findings: Findings): void {
  const size = leaves.length / HASH_BYTES;
  for (const path of filesBelow(directory)) {
    const name = parseTilePath(path);
    if (name?.level !== 'entries' || name.width > tileWidth(size, 0, name.index)) continue;
    const bundle = readIn(directory, path);
    if (bundle === undefined) continue;
    const position = firstWrong(bundle, leaves.subarray(name.index * TILE_WIDTH * HASH_BYTES), name.width);
    if (position === undefined) continue;
    findings.add(join(directory, path), position, 'the entry here is not what was logged');
  }
}

/** Offset of the first member that is not what its leaf says, or of bytes too many. */
function firstWrong(bundle: Buffer, leaves: Buffer, width: number): number | undefined {
  const members = splitBundle(bundle);
  let offset = 0;
  for (let index = 0; index < width; index++) {
    const member = members[index];
    const leaf = leaves.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    if (member === undefined || !leafHash(member.subarray(LENGTH_BYTES)).equals(leaf)) return offset;
    offset += member.length;
  }
  return offset === bundle.length ? undefined : offset;
}
