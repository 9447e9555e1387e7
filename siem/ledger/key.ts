// The key that signs a log's checkpoints: made on first use, never leaves its file, and refused if others can read it.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { looseness } from '../private-file.ts';
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
  const loose = looseness(path);
  if (loose !== undefined) throw new LedgerError('loose-mode', loose);
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
