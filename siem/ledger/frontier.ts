// The right edge of a growing tree: all that is needed to append leaves and to know the root. It holds no leaf.
import { EMPTY_ROOT, nodeHash } from './hash.ts';
import { TILE_HEIGHT } from './tile.ts';

/** Told of each hash that belongs into a tile, level by level, left to right. */
export type OnTileHash = (level: number, hash: Buffer) => void;

export class Frontier {
  #size: number;
  /** By height: the hash of the perfect subtree that ends the tree there, where `size` has that bit. */
  readonly #nodes: Buffer[] = [];

  /** `nodeAt(height, index)`: hash of the perfect subtree of 2^height leaves; asked for the edge of `size` leaves. */
  constructor(size = 0, nodeAt?: (height: number, index: number) => Buffer) {
    this.#size = size;
    for (let height = 0, rest = size; rest > 0; height++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1 && nodeAt !== undefined) this.#nodes[height] = nodeAt(height, rest - 1);
    }
  }

  get size(): number {
    return this.#size;
  }

  append(leaf: Buffer, onTileHash?: OnTileHash): void {
    onTileHash?.(0, leaf);
    let hash = leaf;
    let height = 0;
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      hash = nodeHash(this.#nodes[height] as Buffer, hash);
      height += 1;
      if (height % TILE_HEIGHT === 0) onTileHash?.(height / TILE_HEIGHT, hash);
    }
    this.#nodes[height] = hash;
    this.#size += 1;
  }

  root(): Buffer {
    let root: Buffer | undefined;
    for (let height = 0, rest = this.#size; rest > 0; height++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 0) continue;
      const node = this.#nodes[height] as Buffer;
      root = root === undefined ? node : nodeHash(node, root);
    }
    return root ?? EMPTY_ROOT;
  }
}
