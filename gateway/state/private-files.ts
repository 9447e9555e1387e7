// Files that hold keys and state: written for their owner only, and refused when others could read them.
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { looseness } from '#siem/private-file';

/** A file or directory that holds secrets can be read or replaced by somebody else. */
export class LooseModeError extends Error {
  readonly code = 'loose-mode';
}

/** Without its secret a peer would be asked as if it wanted none. */
class EmptySecretError extends Error {
  readonly code = 'empty-secret';
}

/** Throws LooseModeError unless only who runs this may read and write `path`. */
export function requirePrivate(path: string): void {
  const loose = looseness(path);
  if (loose !== undefined) throw new LooseModeError(loose);
}

/** Reads a secret file after checking that it is private; the trailing newline an editor leaves is not part of it. */
export function readPrivate(path: string): string {
  requirePrivate(path);
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
}

/** The same for a secret that somebody else gave us. Throws EmptySecretError, too. */
export function readSecret(path: string): string {
  const secret = readPrivate(path);
  if (secret === '')
    throw new EmptySecretError(`${path} is empty: it must hold the secret, and nothing else`);
  return secret;
}

/** Throws what `writeWhole` would: before something is made that can be had only once, and is to be written there. */
export function requirePlaceFor(path: string): void {
  accessSync(dirname(path), constants.W_OK);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw Object.assign(new Error('it is a directory'), { code: 'EISDIR', syscall: 'rename', path });
}

/** Writes a file whole or not at all, durable when this returns. Mode is 0600 unless told otherwise. */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o600): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  const file = openSync(temporary, 'wx', mode);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}
