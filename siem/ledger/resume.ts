// Finds where a log stopped, by looking for its last leaf in the outbox: there is no cursor that could be wrong.
import { type Line, readLines } from '../outbox/read.ts';
import { listSegments, type Position, START } from '../outbox/segment.ts';
import { LedgerError } from './error.ts';
import { leafHash } from './hash.ts';
import { actionOf, logOf } from './kinds.ts';

/** The position behind the record whose leaf is `last`; the start if there is none. Throws LedgerError. */
export async function positionAfter(directory: string, last: Buffer | undefined): Promise<Position> {
  if (last === undefined) return START;
  // The log is at most a second behind, so the newest segment nearly always has it.
  for (const { number } of listSegments(directory).reverse()) {
    const from = { segment: number, offset: 0 };
    for await (const lines of readLines(directory, from)) {
      if (lines[0]?.position.segment !== number) break;
      const found = lines.find(({ bytes }) => leafHash(bytes).equals(last));
      if (found !== undefined) return found.next;
    }
  }
  throw new LedgerError(
    'records-lost',
    `the last record that was logged is not in ${directory}, or it was changed. Run: sallyport audit verify. ` +
      'To begin new logs, move the directory "ledger" beside it away and keep it.',
  );
}

/** The change whose leaf is `last`, if it comes after `from`: what follows `from` up to it is logged already. */
export async function lastLoggedChange(
  directory: string,
  from: Position,
  last: Buffer | undefined,
): Promise<Position | undefined> {
  if (last === undefined) return undefined;
  for await (const lines of readLines(directory, from)) {
    const found = lines.find((line) => isChangeLine(line) && leafHash(line.bytes).equals(last));
    if (found !== undefined) return found.position;
  }
  return undefined;
}

function isChangeLine({ bytes }: Line): boolean {
  return logOf(actionOf(bytes)) === 'changes';
}
