// Turns a record into the bytes of its line, always in the same memory: a line is written before the next one is made.
import { type EcsDocument, encodeLine, type NumberedLine } from '../ecs/document.ts';
import { OutboxError } from './error.ts';
import { MAX_LINE_BYTES } from './segment.ts';

const NEWLINE = 0x0a;

export class LineBuffer {
  readonly #bytes = Buffer.allocUnsafeSlow(MAX_LINE_BYTES);

  /** The line with its newline; the next call overwrites it. Throws OutboxError `unencodable`. */
  encode(record: EcsDocument | NumberedLine, sequence: number): Buffer {
    let line: string;
    try {
      line = lineOf(record, sequence);
    } catch (cause) {
      throw new OutboxError('unencodable', 'a record cannot be written as JSON', { cause });
    }
    const length = Buffer.byteLength(line);
    if (length >= MAX_LINE_BYTES) {
      throw new OutboxError('unencodable', `a record of ${length} bytes is longer than ${MAX_LINE_BYTES}`);
    }
    this.#bytes.write(line);
    this.#bytes[length] = NEWLINE;
    return this.#bytes.subarray(0, length + 1);
  }
}

function lineOf(record: EcsDocument | NumberedLine, sequence: number): string {
  if (typeof record === 'function') return record(sequence);
  record.event.sequence = sequence;
  return encodeLine(record);
}
