// Where the hashes and entries of a log lie (C2SP tlog-tiles): which tiles a tree has, how wide they are, their paths.
import { HASH_BYTES } from './hash.ts';

/** A tile holds 2^8 hashes: the subtree of that height, whose inner nodes are computed when they are needed. */
export const TILE_HEIGHT = 8;
export const TILE_WIDTH = 256;
export const TILE_BYTES: number = TILE_WIDTH * HASH_BYTES;

/** A level of hashes, or the entries themselves. */
export type TileLevel = number | 'entries';

/** Path of a tile below the log's directory: `tile/0/x001/234.p/17`. `width` 256 is a full one. */
export function tilePath(level: TileLevel, index: number, width: number): string {
  let path = String(index % 1000).padStart(3, '0');
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

const PATH = /^tile\/(\d{1,2}|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

export interface TileName {
  readonly level: TileLevel;
  readonly index: number;
  readonly width: number;
}

/** The tile a path names; undefined unless it is the one way to write that name. */
export function parseTilePath(path: string): TileName | undefined {
  const match = PATH.exec(path);
  if (match === null) return undefined;
  const level = match[1] === 'entries' ? 'entries' : Number(match[1]);
  const index = Number((match[2] ?? '').replaceAll(/[x/]/g, ''));
  const width = Number(match[3] ?? TILE_WIDTH);
  return path === tilePath(level, index, width) ? { level, index, width } : undefined;
}

/** How many hashes level `level` of a tree with `size` leaves has. */
export function levelWidth(size: number, level: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** How many hashes tile `index` of `level` has in a tree with `size` leaves; 0 if it is not in it. */
export function tileWidth(size: number, level: number, index: number): number {
  return Math.max(0, Math.min(TILE_WIDTH, levelWidth(size, level) - index * TILE_WIDTH));
}
