// Keeps a second gateway off an outbox: two writers would give one sequence number to two records.
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { looseness } from '../private-file.ts';
import { isSqliteBusy } from '../sqlite-busy.ts';
import { OutboxError } from './error.ts';

/**
 * Takes the directory for this process, creating it if need be; call the answer to give it back.
 * Node has no flock, and SQLite's lock is one that the kernel frees when a process dies, however it dies.
 * Throws OutboxError `locked`, `io` or `loose-mode`.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const loose = looseness(directory);
  if (loose !== undefined) throw new OutboxError('loose-mode', loose);
  const file = join(directory, 'lock.sqlite');
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;');
    chmodSync(file, 0o600);
  } catch (cause) {
    database?.close();
    if (!isSqliteBusy(cause)) {
      throw new OutboxError('io', `${file} cannot be used: ${(cause as Error).message}`, { cause });
    }
    const message = `${directory} is in use: another gateway runs on it. Stop that one, or give this one its own state.`;
    throw new OutboxError('locked', message, { cause });
  }
  const held = database;
  return () => held.close();
}
