// Turns waiting documents into the bytes of one write. A document that cannot be written fails alone.
import { type EcsDocument, encodeLine } from '../ecs/document.ts';
import { OutboxError } from './error.ts';
import { MAX_LINE_BYTES } from './segment.ts';

/** One write: large enough to share its cost, small enough that encoding it does not hold up other work. */
const MAX_BATCH_BYTES = 256 * 1024;

export interface Waiting {
  readonly document: EcsDocument;
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: OutboxError) => void;
}

export interface Batch {
  readonly records: readonly Waiting[];
  /** Byte length of each record's line with its newline. */
  readonly lengths: readonly number[];
  readonly bytes: Buffer;
  /** How many of the queue are done with, whether in the batch or rejected. */
  readonly taken: number;
}

/** Numbers documents from the front of `queue` after `sequence` and encodes them, up to the size of one write. */
export function encodeBatch(queue: readonly Waiting[], sequence: number): Batch {
  const records: Waiting[] = [];
  const lengths: number[] = [];
  const lines: string[] = [];
  let bytes = 0;
  let taken = 0;
  for (const waiting of queue) {
    if (bytes >= MAX_BATCH_BYTES) break;
    taken += 1;
    const line = encodeNumbered(waiting.document, sequence + records.length + 1);
    if (line instanceof OutboxError) {
      waiting.reject(line);
      continue;
    }
    const length = Buffer.byteLength(line);
    records.push(waiting);
    lengths.push(length);
    lines.push(line);
    bytes += length;
  }
  return { records, lengths, bytes: Buffer.from(lines.join('')), taken };
}

/** One line with its newline, or why there is none. */
function encodeNumbered(document: EcsDocument, sequence: number): string | OutboxError {
  document.event.sequence = sequence;
  try {
    const line = `${encodeLine(document)}\n`;
    if (line.length <= MAX_LINE_BYTES && Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
    return new OutboxError('unencodable', `a record is longer than ${MAX_LINE_BYTES} bytes`);
  } catch (cause) {
    return new OutboxError('unencodable', 'a record cannot be written as JSON', { cause });
  }
}

/** How many whole lines the first `written` bytes hold. */
export function wholeLines(lengths: readonly number[], written: number): { count: number; bytes: number } {
  let bytes = 0;
  let count = 0;
  for (const length of lengths) {
    if (bytes + length > written) break;
    bytes += length;
    count += 1;
  }
  return { count, bytes };
}
