// The end of an outbox, where it grows: the segment that is written, those that are not synced yet, and the quota. What
// write() answered for is whole; what it refused has left no byte behind.
import { closeSync, fdatasync, ftruncateSync, unlinkSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { OutboxError, outboxErrorOf } from './error.ts';
import { createSegment, type Position, type Segment, segmentPath } from './segment.ts';

/** The segment that is being written. */
interface OpenSegment {
  readonly number: number;
  readonly fd: number;
  size: number;
}

export interface TailOptions {
  readonly directory: string;
  /** What is there already, oldest first. */
  readonly segments: Segment[];
  /** All segments together; when it is reached, the oldest that nobody needs go. */
  readonly quotaBytes: number;
  readonly segmentBytes: number;
  /** A segment is written no more: it waits to be synced and closed. */
  readonly onRetired: () => void;
}

const syncData = promisify(fdatasync);

export class Tail {
  readonly #options: TailOptions;
  /** Segments that are written no more, oldest first. */
  readonly #past: Segment[];
  #current: OpenSegment | undefined;
  /** Written, and not known to be on the platter. */
  #unsynced: OpenSegment[] = [];
  #bytes: number;
  readonly #keepFrom = new Map<string, number>();

  constructor(options: TailOptions) {
    this.#options = options;
    this.#past = options.segments;
    this.#bytes = options.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Where the lines end. */
  get end(): Position {
    if (this.#current !== undefined) return { segment: this.#current.number, offset: this.#current.size };
    const last = this.#past.at(-1);
    return { segment: last?.number ?? 0, offset: last?.bytes ?? 0 };
  }

  /** All segments together. */
  get bytes(): number {
    return this.#bytes;
  }

  get segments(): number {
    return this.#past.length + (this.#current === undefined ? 0 : 1);
  }

  /** Whether so many bytes go into the segment that is being written. */
  fits(coming: number): boolean {
    return (this.#current?.size ?? 0) + coming <= this.#options.segmentBytes;
  }

  /** `reader` still needs the segments from this one on. */
  keepFrom(reader: string, segment: number): void {
    this.#keepFrom.set(reader, segment);
  }

  /** Writes whole lines into one segment: all, or none. Throws OutboxError `quota`, or what the system says. */
  write(lines: Buffer): void {
    this.#makeRoom(lines.length);
    const segment = this.#segmentFor(lines.length);
    let written = 0;
    try {
      while (written < lines.length) {
        written += writeSync(segment.fd, lines, written, lines.length - written, segment.size + written);
      }
    } catch (cause) {
      this.#cutTorn(segment);
      throw cause;
    }
    segment.size += lines.length;
    this.#bytes += lines.length;
  }

  /** The current segment is written no more; the next sync closes it. */
  retire(): void {
    const segment = this.#current;
    if (segment === undefined) return;
    this.#past.push({ number: segment.number, bytes: segment.size });
    this.#current = undefined;
    this.#options.onRetired();
  }

  /** Answers when everything written before this call would survive a power cut. Rejects with OutboxError. */
  async sync(): Promise<void> {
    const segments = this.#unsynced;
    this.#unsynced = this.#current === undefined ? [] : [this.#current];
    let failure: OutboxError | undefined;
    for (const segment of segments) {
      const { fd } = segment;
      try {
        await syncData(fd);
      } catch (cause) {
        failure = outboxErrorOf(cause);
        // After a failed sync the kernel may have dropped the pages and say nothing the second time: this file is
        // written no more.
        if (segment === this.#current) this.retire();
      }
      // What became full meanwhile waits for the next sync, also if an earlier segment of this one held it up.
      if (!this.#unsynced.includes(segment)) closeSync(fd);
    }
    if (failure !== undefined) throw failure;
  }

  /** After the last sync; what could not be synced is let go. */
  close(): void {
    for (const { fd } of this.#unsynced) closeSync(fd);
  }

  #cutTorn(segment: OpenSegment): void {
    try {
      ftruncateSync(segment.fd, segment.size);
    } catch {
      // Readers know that a line without end before another segment is no record.
      this.retire();
    }
  }

  #segmentFor(coming: number): OpenSegment {
    if (!this.fits(coming) && this.#current?.size !== 0) this.retire();
    if (this.#current !== undefined) return this.#current;
    const number = this.end.segment + 1;
    const fd = createSegment(this.#options.directory, number);
    this.#current = { number, fd, size: 0 };
    this.#unsynced.push(this.#current);
    return this.#current;
  }

  #makeRoom(coming: number): void {
    while (this.#bytes + coming > this.#options.quotaBytes) {
      const oldest = this.#past[0];
      if (oldest === undefined || oldest.number >= Math.min(...this.#keepFrom.values())) {
        throw new OutboxError('quota', `all ${this.#bytes} bytes of the outbox are still needed`);
      }
      unlinkSync(segmentPath(this.#options.directory, oldest.number));
      this.#past.shift();
      this.#bytes -= oldest.bytes;
    }
  }
}
