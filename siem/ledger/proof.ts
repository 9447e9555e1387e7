// Proofs that a leaf is in a tree (RFC 6962, section 2.1.1; checked as RFC 9162, section 2.1.3.2 says).
import { nodeHash } from './hash.ts';

/** Hash of the perfect subtree with 2^height leaves that is `index`th of its height. */
export type NodeAt = (height: number, index: number) => Buffer;

/** Number of leaves left of the split: the largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** Hash of the tree over the leaves from `start` up to but not `end`; `start` is aligned as in any RFC 6962 split. */
function rangeHash(start: number, end: number, nodeAt: NodeAt): Buffer {
  const count = end - start;
  const height = Math.log2(count);
  if (Number.isInteger(height)) return nodeAt(height, start / count);
  const split = start + splitOf(count);
  return nodeHash(rangeHash(start, split, nodeAt), rangeHash(split, end, nodeAt));
}

/** The hashes beside the way from leaf `index` up to the root of a tree with `size` leaves, lowest first. */
export function inclusionProof(index: number, size: number, nodeAt: NodeAt): Buffer[] {
  const proof: Buffer[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const split = start + splitOf(end - start);
    if (index < split) {
      proof.push(rangeHash(split, end, nodeAt));
      end = split;
    } else {
      proof.push(rangeHash(start, split, nodeAt));
      start = split;
    }
  }
  return proof.reverse();
}

/** Whether `proof` leads from `leaf`, the `index`th of `size`, to `root`. */
export function provesInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (!(index >= 0 && index < size)) return false;
  let hash = leaf;
  let place = index;
  let last = size - 1;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      hash = nodeHash(sibling, hash);
      while (place % 2 === 0 && place !== 0) {
        place = Math.floor(place / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && hash.equals(root);
}
