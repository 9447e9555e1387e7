// Proofs to hand to others (C2SP tlog-proof): one text that shows a record to be in a log, checked without the log.
// Files hold it gzipped, which takes a fifth off it: any gunzip gives the text back that other tools read.
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { HASH_BYTES, leafHash } from './hash.ts';
import { NoteError, type NoteVerifier, strictBase64 } from './note.ts';
import { provesInclusion } from './proof.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 leaves is no higher. */
const MAX_HASHES = 53;
/** A note and its signatures are most of it. */
const MAX_PROOF_BYTES = 128 * 1024;

export interface TlogProof {
  /** Of the leaf, from 0. */
  readonly index: number;
  readonly hashes: readonly Buffer[];
  /** The signed note, as it is. */
  readonly checkpoint: string;
}

export function formatProof({ index, hashes, checkpoint }: TlogProof): string {
  const lines = [HEADER, `index ${index}`, ...hashes.map((hash) => hash.toString('base64'))];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

export function packProof(proof: TlogProof): Buffer {
  return gzipSync(formatProof(proof), { level: 9 });
}

/** The text of a proof that was packed, or of one that was not. Throws NoteError. */
export function unpackProof(file: Buffer): string {
  if (file[0] !== 0x1f || file[1] !== 0x8b) return file.toString('utf8');
  try {
    return gunzipSync(file, { maxOutputLength: MAX_PROOF_BYTES }).toString('utf8');
  } catch {
    throw new NoteError(
      'this is no proof: it begins as a gzip file does, and is none, or is too long for a proof',
    );
  }
}

/** Throws NoteError. The `extra` line, which nobody vouches for, is passed over. */
export function parseProof(text: string): TlogProof {
  const split = text.indexOf('\n\n');
  const lines = text.slice(0, Math.max(0, split)).split('\n');
  if (lines.shift() !== HEADER) throw new NoteError(`this is no proof: its first line is not ${HEADER}`);
  if (lines[0]?.startsWith('extra ')) lines.shift();
  const index = /^index (0|[1-9]\d{0,14})$/.exec(lines.shift() ?? '')?.[1];
  if (index === undefined) throw new NoteError('the proof does not say its index');
  if (lines.length > MAX_HASHES) throw new NoteError('the proof is longer than any tree is high');
  const hashes = lines.map((line) => {
    const hash = strictBase64(line);
    if (hash?.length !== HASH_BYTES) throw new NoteError('a line of the proof is no SHA-256 hash');
    return hash;
  });
  return { index: Number(index), hashes, checkpoint: text.slice(split + 2) };
}

/** The checkpoint under which `entry` is proved to be in the log of `verifier`. Throws NoteError. */
export function checkProof(proof: TlogProof, entry: Uint8Array, verifier: NoteVerifier): Checkpoint {
  const checkpoint = openCheckpoint(proof.checkpoint, verifier);
  if (!provesInclusion(leafHash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)) {
    throw new NoteError(
      'the record is not what was logged there: the proof does not lead to the signed root',
    );
  }
  return checkpoint;
}
