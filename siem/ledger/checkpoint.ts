// A log's signed statement of its size and root (C2SP tlog-checkpoint). Two that do not fit together convict the log.
import { HASH_BYTES } from './hash.ts';
import { NoteError, type NoteSigner, type NoteVerifier, openNote, signNote, strictBase64 } from './note.ts';

export interface Checkpoint {
  /** Number of leaves. */
  readonly size: number;
  readonly root: Buffer;
}

/** The origin is the name of the key: one key signs for one log. */
export function signCheckpoint({ size, root }: Checkpoint, signer: NoteSigner): string {
  return signNote(`${signer.verifier.name}\n${size}\n${root.toString('base64')}\n`, signer);
}

/** Throws NoteError, naming the line that is wrong. */
export function openCheckpoint(note: string, verifier: NoteVerifier): Checkpoint {
  const [origin, size = '', root = ''] = openNote(note, verifier).split('\n');
  if (origin !== verifier.name) throw new NoteError(`line 1: the origin is not ${verifier.name}`);
  if (!/^(0|[1-9]\d{0,14})$/.test(size)) throw new NoteError('line 2: the size is no number');
  const hash = strictBase64(root);
  if (hash?.length !== HASH_BYTES) throw new NoteError('line 3: the root is no SHA-256 hash');
  return { size: Number(size), root: hash };
}
