// The key that signs a log's checkpoints: made on first use, never leaves its file, and refused if others can read it.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError } from './error.ts';
import { writeDurably } from './files.ts';
import {
  formatSigner,
  NoteError,
  type NoteSigner,
  type NoteVerifier,
  parseSigner,
  parseVerifier,
  signerOf,
} from './note.ts';

const SIGNER = 'log.key';
/** The other half, for whoever checks; not secret. */
export const VERIFIER = 'log.vkey';

/** Opens the key in `directory`. `origin` names a new one; one that is there keeps its name. Throws LedgerError. */
export async function openSigner(directory: string, origin: string): Promise<NoteSigner> {
  const path = join(directory, SIGNER);
  if (!existsSync(path)) {
    const seed = randomBytes(32);
    const made = signerOf(origin, seed);
    await writeDurably(directory, new Map([[SIGNER, Buffer.from(`${formatSigner(made, seed)}\n`)]]));
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const message = `${path} has mode ${mode.toString(8)}: others could read it. Run: chmod 600 ${path}`;
    throw new LedgerError('loose-mode', message);
  }
  const signer = readSigner(path);
  const verifier = Buffer.from(`${signer.verifier.text}\n`);
  if (!existsSync(join(directory, VERIFIER))) await writeDurably(directory, new Map([[VERIFIER, verifier]]));
  return signer;
}

function readSigner(path: string): NoteSigner {
  try {
    return parseSigner(readFileSync(path, 'utf8').trimEnd());
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    throw new LedgerError('damaged', `${path}: ${error.message}. Restore it from a backup.`);
  }
}

/** The key that is kept beside a log for whoever checks it. Throws NoteError. */
export function readVerifier(directory: string): NoteVerifier {
  return parseVerifier(readFileSync(join(directory, VERIFIER), 'utf8').trimEnd());
}
