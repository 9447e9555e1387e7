// Files that hold keys and state: written for their owner only, and refused when others could read them.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** A file or directory that holds secrets can be read by somebody other than its owner. */
export class LooseModeError extends Error {
  readonly code = 'loose-mode';
}

/** Throws LooseModeError unless only the owner may read and write `path`. */
export function requirePrivate(path: string): void {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  const want = statSync(path).isDirectory() ? '700' : '600';
  const message = `${path} has mode ${mode.toString(8)}: others could read it. Run: chmod ${want} ${path}`;
  throw new LooseModeError(message);
}

/** Reads a secret file after checking its mode; the trailing newline an editor leaves is not part of it. */
export function readPrivate(path: string): string {
  requirePrivate(path);
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
}

/** Writes a file whole or not at all, durable when this returns. Mode is 0600 unless told otherwise. */
export function writeWhole(path: string, content: string, mode = 0o600): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`;
  const file = openSync(temporary, 'wx', mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}
