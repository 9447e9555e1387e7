// How far one sink has got, kept in a small file. It moves only on acknowledgement; losing it only repeats events.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Position, START } from '../outbox/segment.ts';

export interface Cursor {
  /** Everything before it is settled: acknowledged, or in the dead letters. */
  readonly position: Position;
  readonly delivered: number;
  readonly deadLetters: number;
  /** Epoch milliseconds of the last acknowledgement; 0 if there was none. */
  readonly at: number;
  /** Where the last record is that the receiver took. */
  readonly taken?: Position;
}

const BEGINNING: Cursor = { position: START, delivered: 0, deadLetters: 0, at: 0 };

function cursorPath(directory: string, sink: string): string {
  return join(directory, 'cursors', `${sink}.json`);
}

/** The stored cursor, or the beginning if there is none or it is damaged: repeats are harmless, gaps are not. */
export function readCursor(directory: string, sink: string): Cursor {
  try {
    const value: unknown = JSON.parse(readFileSync(cursorPath(directory, sink), 'utf8'));
    return isCursor(value) ? value : BEGINNING;
  } catch {
    return BEGINNING;
  }
}

function isCursor(value: unknown): value is Cursor {
  const { position, delivered, deadLetters, at, taken = position } = (value ?? {}) as Partial<Cursor>;
  const places = [position, taken].flatMap((place) => [place?.segment, place?.offset]);
  return [...places, delivered, deadLetters, at].every(
    (number) => Number.isSafeInteger(number) && Number(number) >= 0,
  );
}

export function writeCursor(directory: string, sink: string, cursor: Cursor): void {
  const path = cursorPath(directory, sink);
  mkdirSync(join(directory, 'cursors'), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, JSON.stringify(cursor), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
