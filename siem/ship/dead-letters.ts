// Keeps the records that a sink's receiver will never take, with the reason, until an operator has looked.
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Position } from '../outbox/segment.ts';

/** Two files of this size at most; the records themselves are in the outbox too, while it reaches back. */
const ROTATE_BYTES = 64 * 1024 * 1024;

export function deadLetterPath(directory: string, sink: string): string {
  return join(directory, 'dead-letters', `${sink}.jsonl`);
}

/** Adds one record that `sink` refused for good. Throws if it cannot be written: then it is not settled either. */
export function addDeadLetter(
  directory: string,
  sink: string,
  letter: { readonly line: Buffer; readonly position: Position; readonly why: string; readonly at: number },
): void {
  const path = deadLetterPath(directory, sink);
  mkdirSync(join(directory, 'dead-letters'), { recursive: true, mode: 0o700 });
  const { position, why, at, line } = letter;
  const record = { at: new Date(at).toISOString(), why, position, record: line.toString('utf8') };
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > ROTATE_BYTES) renameSync(path, `${path}.1`);
  appendFileSync(path, `${JSON.stringify(record)}\n`, { mode: 0o600 });
}
