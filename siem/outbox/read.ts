// Reads an outbox, also one that a gateway is writing to. It must never hand out half a record.
import { type FileHandle, open } from 'node:fs/promises';
import type { EcsDocument } from '../ecs/document.ts';
import { uuid7Time } from '../uuid7.ts';
import { listSegments, MAX_LINE_BYTES, type Position, parseRecord, START, segmentPath } from './segment.ts';

const NEWLINE = 0x0a;
const CHUNK_BYTES = 256 * 1024;
/** How far an id's time and its record's place may disagree: a decision may wait, and clocks step. */
const CLOCK_SLACK = 5 * 60_000;

/** One line as it was written, without its newline, and the positions around it. */
export interface Line {
  readonly bytes: Buffer;
  readonly position: Position;
  readonly next: Position;
}

/** One record. */
export interface Entry {
  readonly document: EcsDocument;
  readonly position: Position;
  readonly next: Position;
}

/**
 * Whole lines from `from` to the end there is now, a chunk at a time. A torn last line is left for later; in a
 * segment that has a successor it stays torn and is skipped. Damaged lines in between come as they are.
 */
export async function* readLines(directory: string, from: Position = START): AsyncGenerator<readonly Line[]> {
  for (const { number } of listSegments(directory)) {
    if (number < from.segment) continue;
    const file = await openIfThere(segmentPath(directory, number));
    if (file === undefined) continue;
    try {
      yield* linesOf(file, number, number === from.segment ? from.offset : 0);
    } finally {
      await file.close();
    }
  }
}

async function* linesOf(file: FileHandle, segment: number, from: number): AsyncGenerator<readonly Line[]> {
  let offset = from;
  let size = CHUNK_BYTES;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, offset);
    const lines = splitLines(buffer.subarray(0, bytesRead), segment, offset);
    const last = lines.at(-1);
    if (last !== undefined) {
      yield lines;
      offset = last.next.offset;
      size = CHUNK_BYTES;
    } else if (bytesRead < size) {
      return;
    } else if (size <= MAX_LINE_BYTES) {
      size *= 2;
    } else {
      // No record is this long: these bytes are damage, and the next newline ends it.
      offset += bytesRead;
    }
  }
}

function splitLines(chunk: Buffer, segment: number, offset: number): Line[] {
  const lines: Line[] = [];
  let start = 0;
  for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
    lines.push({
      bytes: chunk.subarray(start, end),
      position: { segment, offset: offset + start },
      next: { segment, offset: offset + end + 1 },
    });
    start = end + 1;
  }
  return lines;
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    // The writer removed the oldest segment while we came to it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export interface ReadOptions {
  /** Only records whose `@timestamp` is at or after this epoch millisecond. */
  readonly since?: number;
  readonly from?: Position;
  /** Called for each line that is no record: bit rot, or somebody's editing. */
  readonly onDamage?: (position: Position) => void;
}

/** The records of an outbox in the order in which they were written, up to the end there is now. */
export async function* readOutbox(directory: string, options: ReadOptions = {}): AsyncGenerator<Entry> {
  const since = options.since;
  const from = options.from ?? (since === undefined ? START : await firstSegmentFor(directory, since));
  for await (const lines of readLines(directory, from)) {
    for (const line of lines) {
      const document = parseRecord(line.bytes) as EcsDocument | undefined;
      if (document === undefined) options.onDamage?.(line.position);
      else if (since === undefined || Date.parse(document['@timestamp']) >= since) {
        yield { document, position: line.position, next: line.next };
      }
    }
  }
}

/** The record whose `event.id` is `id`, or undefined. */
export async function findEvent(directory: string, id: string): Promise<EcsDocument | undefined> {
  const line = await findLine(directory, id);
  return line === undefined ? undefined : (parseRecord(line) as EcsDocument);
}

/** The bytes of that record's line. The time in a UUIDv7 says where to look first. */
export async function findLine(directory: string, id: string): Promise<Buffer | undefined> {
  const time = uuid7Time(id);
  const needle = Buffer.from(JSON.stringify(id));
  const spans = await segmentSpans(directory);
  const near = (span: Span): boolean =>
    time === undefined || (span.from <= time + CLOCK_SLACK && span.to >= time - CLOCK_SLACK);
  // A clock that was wrong must not hide a record: the far segments are read last, but they are read.
  for (const span of [...spans.filter(near), ...spans.filter((one) => !near(one))]) {
    const found = await findIn(directory, span.segment, needle, id);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function findIn(
  directory: string,
  segment: number,
  needle: Buffer,
  id: string,
): Promise<Buffer | undefined> {
  const file = await openIfThere(segmentPath(directory, segment));
  if (file === undefined) return undefined;
  try {
    for await (const lines of linesOf(file, segment, 0)) {
      for (const { bytes } of lines) {
        if (!bytes.includes(needle)) continue;
        const document = parseRecord(bytes) as EcsDocument | undefined;
        if (document?.event?.id === id) return bytes;
      }
    }
    return undefined;
  } finally {
    await file.close();
  }
}

interface Span {
  readonly segment: number;
  /** Epoch milliseconds of its first record, and of the first of the segment after it. */
  readonly from: number;
  readonly to: number;
}

async function segmentSpans(directory: string): Promise<Span[]> {
  const spans: Span[] = [];
  let to = Number.POSITIVE_INFINITY;
  for (const { number } of listSegments(directory).reverse()) {
    const from = await firstTime(directory, number);
    spans.unshift({ segment: number, from: from ?? Number.NEGATIVE_INFINITY, to });
    to = from ?? to;
  }
  return spans;
}

async function firstTime(directory: string, segment: number): Promise<number | undefined> {
  const file = await openIfThere(segmentPath(directory, segment));
  if (file === undefined) return undefined;
  try {
    for await (const lines of linesOf(file, segment, 0)) {
      for (const { bytes } of lines) {
        const document = parseRecord(bytes) as EcsDocument | undefined;
        const time = Date.parse(document?.['@timestamp'] ?? '');
        if (!Number.isNaN(time)) return time;
      }
    }
    return undefined;
  } finally {
    await file.close();
  }
}

async function firstSegmentFor(directory: string, since: number): Promise<Position> {
  const spans = await segmentSpans(directory);
  const span = spans.find(({ to }) => to >= since - CLOCK_SLACK);
  return span === undefined ? START : { segment: span.segment, offset: 0 };
}
