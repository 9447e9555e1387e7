// Collects records as the bytes of their lines, always in the same memory: they are written before more are made.
import { type EcsDocument, encodeLine, type NumberedLine } from '../ecs/document.ts';
import { OutboxError } from './error.ts';
import { MAX_LINE_BYTES } from './segment.ts';

const NEWLINE = 0x0a;
/** Lines beyond this many bytes are better written in a second go. */
const FULL = 256 * 1024;

export class LineBuffer {
  readonly #memory = Buffer.allocUnsafeSlow(FULL + MAX_LINE_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length > FULL;
  }

  /** What was collected; the next `add` after `cut(0)` overwrites it. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  /** Adds one line with its newline; only while not full. Throws OutboxError `unencodable`, and adds nothing. */
  add(record: EcsDocument | NumberedLine, sequence: number): void {
    let line: string;
    try {
      line = lineOf(record, sequence);
    } catch (cause) {
      if (cause instanceof OutboxError) throw cause;
      throw new OutboxError('unencodable', 'a record cannot be written as JSON', { cause });
    }
    const length = Buffer.byteLength(line);
    if (length >= MAX_LINE_BYTES) {
      throw new OutboxError('unencodable', `a record of ${length} bytes is longer than ${MAX_LINE_BYTES}`);
    }
    this.#memory.write(line, this.#length);
    this.#memory[this.#length + length] = NEWLINE;
    this.#length += length + 1;
  }

  /** Takes back what was added after the first `length` bytes. */
  cut(length: number): void {
    this.#length = length;
  }
}

function lineOf(record: EcsDocument | NumberedLine, sequence: number): string {
  if (typeof record === 'function') return record(sequence);
  record.event.sequence = sequence;
  return encodeLine(record);
}
