// The hashes of a Merkle tree (RFC 6962, section 2.1). A leaf can never be taken for an inner node: their prefixes differ.
import { hash } from 'node:crypto';

export const HASH_BYTES = 32;
/** Root of the tree without leaves. */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;
const node: Buffer = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);
let leaf: Buffer = Buffer.alloc(8 * 1024, LEAF_PREFIX);

export function leafHash(entry: Uint8Array): Buffer {
  if (leaf.length <= entry.length) leaf = Buffer.alloc(2 * entry.length + 1, LEAF_PREFIX);
  leaf.set(entry, 1);
  return hash('sha256', leaf.subarray(0, entry.length + 1), 'buffer');
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return hash('sha256', node, 'buffer');
}

/** Hash of the perfect subtree over hashes that lie one after the other; their number is a power of two. */
export function foldHashes(hashes: Uint8Array): Buffer {
  if (hashes.length === HASH_BYTES) return Buffer.from(hashes);
  const half = hashes.length / 2;
  return nodeHash(foldHashes(hashes.subarray(0, half)), foldHashes(hashes.subarray(half)));
}
