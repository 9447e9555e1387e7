// Reads the hashes of a log from its tiles. It trusts none of them: whoever asks compares with a signed root.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError } from './error.ts';
import { foldHashes, HASH_BYTES } from './hash.ts';
import { TILE_HEIGHT, TILE_WIDTH, type TileLevel, tilePath, tileWidth } from './tile.ts';

/** Tiles kept in memory while a proof is made. */
const CACHED = 64;

/** The bytes of a file in a log's directory, or undefined. */
export function readIn(directory: string, path: string): Buffer | undefined {
  try {
    return readFileSync(join(directory, path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** A tile of a tree in which it has `width` members: as it was then, or as it was when it had become full. */
export function readTile(
  directory: string,
  level: TileLevel,
  index: number,
  width: number,
): Buffer | undefined {
  // The writer removes a partial tile after the full one is there, so what was gone at first is looked for again.
  return (
    readIn(directory, tilePath(level, index, width)) ??
    readIn(directory, tilePath(level, index, TILE_WIDTH)) ??
    readIn(directory, tilePath(level, index, width))
  );
}

export class TileReader {
  readonly #directory: string;
  readonly #size: number;
  readonly #cache = new Map<string, Buffer>();

  /** Of a tree with `size` leaves. */
  constructor(directory: string, size: number) {
    this.#directory = directory;
    this.#size = size;
  }

  /** Hashes of one tile, as many as it has in this tree. Throws LedgerError `damaged` if they are not there. */
  tile(level: number, index: number): Buffer {
    const key = `${level}/${index}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const width = tileWidth(this.#size, level, index);
    const bytes = readTile(this.#directory, level, index, width);
    if (bytes === undefined || bytes.length < width * HASH_BYTES) {
      const path = join(this.#directory, tilePath(level, index, width));
      throw new LedgerError('damaged', `${path} is missing or too short`);
    }
    const tile = bytes.subarray(0, width * HASH_BYTES);
    if (this.#cache.size >= CACHED) this.#cache.clear();
    this.#cache.set(key, tile);
    return tile;
  }

  /** Hash of the perfect subtree with 2^height leaves that is `index`th of its height. Throws LedgerError. */
  readonly node = (height: number, index: number): Buffer => {
    const level = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height % TILE_HEIGHT);
    const first = index * count;
    const tile = this.tile(level, Math.floor(first / TILE_WIDTH));
    const start = (first % TILE_WIDTH) * HASH_BYTES;
    return foldHashes(tile.subarray(start, start + count * HASH_BYTES));
  };
}
