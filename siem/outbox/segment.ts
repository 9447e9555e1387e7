// The files of an outbox: numbered segments of JSON lines. A complete line, once written, is never taken back.
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';

/** A place between two records: how many bytes into which segment. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

export const START: Position = { segment: 0, offset: 0 };

export function comparePositions(a: Position, b: Position): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** A longer line than this is no record of ours. */
export const MAX_LINE_BYTES: number = 1024 * 1024;

const NAME = /^(\d{12})\.jsonl$/;
const NEWLINE = 0x0a;

export function segmentPath(directory: string, segment: number): string {
  return join(directory, `${String(segment).padStart(12, '0')}.jsonl`);
}

export interface Segment {
  readonly number: number;
  readonly bytes: number;
}

/** All segments in `directory`, oldest first; a file that vanishes meanwhile is left out. */
export function listSegments(directory: string): Segment[] {
  const found: Segment[] = [];
  for (const name of readdirSync(directory)) {
    const match = NAME.exec(name);
    if (match === null) continue;
    const stat = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stat !== undefined) found.push({ number: Number(match[1]), bytes: stat.size });
  }
  return found.sort((a, b) => a.number - b.number);
}

/** The last whole record of a segment and where it ends; `end` 0 and no record if there is none. */
export interface Tail {
  readonly end: number;
  readonly record?: unknown;
}

/** Finds the end of the last line that is a whole JSON object: what follows was torn by a crash or a power cut. */
export function findTail(fd: number): Tail {
  let end = lastNewline(fd, fstatSync(fd).size) + 1;
  while (end > 0) {
    const start = lastNewline(fd, end - 1) + 1;
    const record = parseRecord(readAt(fd, start, Math.min(end - start, MAX_LINE_BYTES + 1)));
    if (record !== undefined) return { end, record };
    end = start;
  }
  return { end: 0 };
}

/** Cuts what findTail found torn; what stays is on the platter. Answers the tail and how many bytes went. */
function repairSegment(path: string): { readonly tail: Tail; readonly cut: number } {
  const fd = openSync(path, 'r+');
  try {
    const tail = findTail(fd);
    const cut = fstatSync(fd).size - tail.end;
    if (cut > 0) ftruncateSync(fd, tail.end);
    // Also what was whole may have been in the page cache only, when the process was killed.
    fdatasyncSync(fd);
    return { tail, cut };
  } finally {
    closeSync(fd);
  }
}

/** What was found in a directory when it was opened. */
export interface Recovered {
  /** Oldest first, with the sizes they have after repair. */
  readonly segments: Segment[];
  /** The last whole record. */
  readonly last?: unknown;
  /** Bytes of torn records that were cut. */
  readonly cut: number;
}

/** Cuts torn tails from the newest segment backwards until one holds a whole record. */
export function recoverSegments(directory: string): Recovered {
  const segments = listSegments(directory);
  let cut = 0;
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index];
    if (segment === undefined) break;
    const repaired = repairSegment(segmentPath(directory, segment.number));
    cut += repaired.cut;
    segments[index] = { number: segment.number, bytes: repaired.tail.end };
    if (repaired.tail.record !== undefined) return { segments, last: repaired.tail.record, cut };
  }
  return { segments, cut };
}

/** Creates a segment whose name survives a power cut, and opens it. */
export function createSegment(directory: string, number: number): number {
  const path = segmentPath(directory, number);
  const fd = openSync(path, 'wx', 0o600);
  try {
    const parent = openSync(directory, 'r');
    try {
      fsyncSync(parent);
    } finally {
      closeSync(parent);
    }
    return fd;
  } catch (cause) {
    closeSync(fd);
    unlinkSync(path);
    throw cause;
  }
}

/** One line without its newline as a record, or undefined if it is damaged. */
export function parseRecord(line: Uint8Array): object | undefined {
  if (line.length === 0 || line.length > MAX_LINE_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Offset of the last newline before `end`, or -1. */
function lastNewline(fd: number, end: number): number {
  for (let to = end; to > 0; ) {
    const from = Math.max(0, to - 65_536);
    const found = readAt(fd, from, to - from).lastIndexOf(NEWLINE);
    if (found !== -1) return from + found;
    to = from;
  }
  return -1;
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return buffer.subarray(0, done);
}
