// Checks every tile from the signed root downwards: what a checked tile vouches for is checked against it, and what
// does not fit is computed again from below, so that the file at fault is named and not its neighbours.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint.ts';
import { Frontier } from '../frontier.ts';
import { foldHashes, HASH_BYTES } from '../hash.ts';
import {
  levelWidth,
  parseTilePath,
  TILE_BYTES,
  TILE_HEIGHT,
  TILE_WIDTH,
  tilePath,
  tileWidth,
} from '../tile.ts';
import { readIn, readTile } from '../tile-reader.ts';
import { type Findings, firstDifference } from './finding.ts';

/** Leaf hashes as the records themselves say, for one tile; undefined if they are not all there. */
export type LeavesOfTile = (index: number, width: number) => Buffer | undefined;

export class TileAudit {
  readonly #directory: string;
  readonly #size: number;
  readonly #findings: Findings;
  readonly #leavesOf: LeavesOfTile;
  /** All hashes of each level, as they are stored; zeros where a tile is missing. */
  readonly #stored: Buffer[] = [];
  /** All hashes of each level, as far as they are vouched for. */
  readonly #checked: Buffer[] = [];

  constructor(directory: string, checkpoint: Checkpoint, leavesOf: LeavesOfTile, findings: Findings) {
    this.#directory = directory;
    this.#size = checkpoint.size;
    this.#leavesOf = leavesOf;
    this.#findings = findings;
    for (let level = 0; levelWidth(this.#size, level) > 0; level++) this.#stored[level] = this.#load(level);
    this.#checkEdge(checkpoint.root);
    for (let level = this.#stored.length - 1; level >= 0; level--) this.#checkFull(level);
    this.#checkFiles();
  }

  /** Leaf hashes, one after the other. */
  get leaves(): Buffer {
    return this.#checked[0] ?? Buffer.alloc(0);
  }

  #load(level: number): Buffer {
    const hashes = Buffer.alloc(levelWidth(this.#size, level) * HASH_BYTES);
    for (let index = 0; index * TILE_BYTES < hashes.length; index++) {
      const width = tileWidth(this.#size, level, index);
      const path = tilePath(level, index, width);
      const tile = readTile(this.#directory, level, index, width);
      const bytes = width * HASH_BYTES;
      if (tile === undefined) this.#findings.add(join(this.#directory, path), undefined, 'is missing');
      tile?.copy(hashes, index * TILE_BYTES, 0, bytes);
    }
    return hashes;
  }

  /** The part of a level that is in its tile `index`. */
  #tileOf(row: Buffer | undefined, index: number): Buffer {
    return row?.subarray(index * TILE_BYTES, (index + 1) * TILE_BYTES) ?? Buffer.alloc(0);
  }

  /** A tile as the level below it says, or for leaves the records. */
  #fromBelow(level: number, index: number): Buffer | undefined {
    const width = tileWidth(this.#size, level, index);
    if (level === 0) return this.#leavesOf(index, width);
    return Buffer.concat(
      Array.from({ length: width }, (_, child) =>
        foldHashes(this.#tileOf(this.#stored[level - 1], index * TILE_WIDTH + child)),
      ),
    );
  }

  /** The tiles at the right edge have no parent: together they make the root. */
  #checkEdge(root: Buffer): void {
    const levels = [...this.#stored.keys()].filter((level) => levelWidth(this.#size, level) % TILE_WIDTH > 0);
    const last = (level: number): number => Math.floor(levelWidth(this.#size, level) / TILE_WIDTH);
    const stored = new Map(levels.map((level) => [level, this.#tileOf(this.#stored[level], last(level))]));
    const attempts = [[], ...levels.map((level) => [level]), levels];
    for (const replaced of attempts) {
      const edge = new Map(stored);
      for (const level of replaced) {
        const tile = this.#fromBelow(level, last(level));
        if (tile !== undefined) edge.set(level, tile);
      }
      if (!this.#rootOf(edge).equals(root)) continue;
      for (const level of replaced) this.#replace(level, last(level), edge.get(level) as Buffer);
      for (const level of levels) this.#keep(level, last(level), edge.get(level) as Buffer);
      return;
    }
    const problem = 'the signed root is neither that of the tiles nor that of the records';
    this.#findings.add(join(this.#directory, 'checkpoint'), undefined, problem);
    for (const level of levels) this.#keep(level, last(level), stored.get(level) as Buffer);
  }

  #rootOf(edge: ReadonlyMap<number, Buffer>): Buffer {
    const nodeAt = (height: number, index: number): Buffer => {
      const level = Math.floor(height / TILE_HEIGHT);
      const count = 2 ** (height % TILE_HEIGHT);
      const start = ((index * count) % TILE_WIDTH) * HASH_BYTES;
      return foldHashes((edge.get(level) as Buffer).subarray(start, start + count * HASH_BYTES));
    };
    return new Frontier(this.#size, nodeAt).root();
  }

  #checkFull(level: number): void {
    const parents = this.#checked[level + 1] ?? Buffer.alloc(0);
    for (let index = 0; index < Math.floor(levelWidth(this.#size, level) / TILE_WIDTH); index++) {
      const expected = parents.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
      const stored = this.#tileOf(this.#stored[level], index);
      if (foldHashes(stored).equals(expected)) {
        this.#keep(level, index, stored);
        continue;
      }
      const below = this.#fromBelow(level, index);
      if (below !== undefined && foldHashes(below).equals(expected)) {
        this.#replace(level, index, below);
        this.#keep(level, index, below);
      } else {
        const file = join(this.#directory, tilePath(level, index, TILE_WIDTH));
        this.#findings.add(file, 0, 'is not what the level above it vouches for, nor do the records fit it');
        this.#keep(level, index, stored);
      }
    }
  }

  /** What is right, where the stored tile is not. */
  #replace(level: number, index: number, right: Buffer): void {
    const file = join(this.#directory, tilePath(level, index, right.length / HASH_BYTES));
    const position = firstDifference(this.#tileOf(this.#stored[level], index), right);
    if (position === undefined || this.#findings.names(file)) return;
    // The full tile may have been read in place of the partial one that is named; then the file check tells.
    if (readIn(this.#directory, tilePath(level, index, right.length / HASH_BYTES)) === undefined) return;
    this.#findings.add(file, position, 'a hash was changed: it is not the one that was signed');
  }

  #keep(level: number, index: number, tile: Buffer): void {
    this.#checked[level] ??= Buffer.alloc(levelWidth(this.#size, level) * HASH_BYTES);
    tile.copy(this.#checked[level], index * TILE_BYTES);
  }

  /** Every file there is, also partial tiles of earlier checkpoints, byte for byte. */
  #checkFiles(): void {
    for (const path of filesBelow(this.#directory)) {
      const name = parseTilePath(path);
      const file = join(this.#directory, path);
      if (name === undefined) this.#findings.add(file, undefined, 'is no file of this log');
      else if (name.level !== 'entries' && !this.#findings.names(file)) {
        this.#checkFile(file, readIn(this.#directory, path), name.level, name.index, name.width);
      }
    }
  }

  #checkFile(file: string, found: Buffer | undefined, level: number, index: number, width: number): void {
    // Gone meanwhile, or newer than the checkpoint that is looked at.
    if (found === undefined || width > tileWidth(this.#size, level, index)) return;
    const start = index * TILE_BYTES;
    const right = this.#checked[level]?.subarray(start, start + width * HASH_BYTES) ?? Buffer.alloc(0);
    const position = firstDifference(found, right);
    if (position !== undefined) {
      this.#findings.add(file, position, 'a hash was changed: it is not the one that was signed');
    }
  }
}

/** Paths of the tile files in a log's directory; what a crash left half written does not count. */
export function filesBelow(directory: string): string[] {
  try {
    return readdirSync(join(directory, 'tile'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.new'))
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
