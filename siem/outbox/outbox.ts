// The durable local record of every event. append() answers only when the record is written, and must never say so
// of one that is not; sinks are served from here, never from memory.
import { type FileHandle, unlink } from 'node:fs/promises';
import type { EcsDocument } from '../ecs/document.ts';
import { type Batch, encodeBatch, type Waiting, wholeLines } from './batch.ts';
import { OutboxError, type OutboxErrorCode, outboxErrorOf } from './error.ts';
import { GroupCommit } from './group-commit.ts';
import { lockDirectory } from './lock.ts';
import {
  comparePositions,
  createDurably,
  type Position,
  recoverSegments,
  type Segment,
  segmentPath,
} from './segment.ts';

export interface OutboxOptions {
  /** Owned by this process alone; created with mode 0700. */
  readonly directory: string;
  /** All segments together. When it is reached, the oldest segments that nobody needs go; else append() refuses. */
  readonly quotaBytes?: number;
  /** A segment is closed once it is this large. */
  readonly segmentBytes?: number;
  /** Records reach the platter at most this long (plus one fdatasync) after append() answered. */
  readonly syncEveryMs?: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A time during which records were refused. */
export interface Interruption {
  readonly code: OutboxErrorCode;
  /** Epoch milliseconds of the first and last refusal. */
  readonly from: number;
  readonly to: number;
  readonly refused: number;
}

/** For metrics and heartbeats. */
export interface OutboxStanding {
  readonly bytes: number;
  readonly quotaBytes: number;
  readonly segments: number;
  readonly sequence: number;
  readonly queued: number;
  /** Records refused since the process started. */
  readonly refused: number;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** Records waiting for a slow disk; beyond it the gateway denies instead of filling its memory. */
const MAX_QUEUED = 16_384;

export class Outbox {
  readonly directory: string;
  /** Bytes of a torn last record that were cut when this outbox was opened. */
  readonly repairedBytes: number;
  readonly #quotaBytes: number;
  readonly #segmentBytes: number;
  readonly #now: () => number;
  readonly #unlock: () => void;

  /** Closed segments, oldest first. */
  readonly #closedSegments: Segment[];
  #segment: number;
  #file: FileHandle | undefined;
  #size = 0;
  #bytes: number;
  #sequence: number;
  #keepFrom = Number.POSITIVE_INFINITY;

  #queue: Waiting[] = [];
  #draining: Promise<void> | undefined;
  readonly #group: GroupCommit;
  /** The last fdatasync failed: until one succeeds, nothing counts as kept before it is synced. */
  #syncFailed = false;
  /** A file that failed once is written no more. */
  #suspect: FileHandle | undefined;
  #closed = false;

  #fault: Interruption | undefined;
  #interruption: Interruption | undefined;
  #refused = 0;
  #watchers: (() => void)[] = [];

  /** Opens the outbox and repairs what a crash left. Throws OutboxError `locked`, `loose-mode` or `io`. */
  constructor(options: OutboxOptions) {
    this.directory = options.directory;
    this.#quotaBytes = options.quotaBytes ?? 10 * GIB;
    this.#segmentBytes = options.segmentBytes ?? 64 * MIB;
    this.#group = new GroupCommit(() => this.#sync(), options.syncEveryMs ?? 50);
    this.#now = options.now;
    this.#unlock = lockDirectory(options.directory);
    try {
      const found = recoverSegments(options.directory);
      this.repairedBytes = found.cut;
      this.#closedSegments = found.segments;
      this.#segment = found.segments.at(-1)?.number ?? 0;
      this.#sequence = Number((found.last as Partial<EcsDocument> | undefined)?.event?.sequence ?? 0);
      this.#bytes = found.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    } catch (cause) {
      this.#unlock();
      throw outboxErrorOf(cause);
    }
  }

  /** False from a refused or unsynced record until the next one that is kept. */
  get healthy(): boolean {
    return this.#fault === undefined && !this.#closed;
  }

  /** Where the next record will begin. */
  get end(): Position {
    return { segment: this.#segment, offset: this.#file === undefined ? this.#lastClosedSize() : this.#size };
  }

  get standing(): OutboxStanding {
    return {
      bytes: this.#bytes,
      quotaBytes: this.#quotaBytes,
      segments: this.#closedSegments.length + (this.#file === undefined ? 0 : 1),
      sequence: this.#sequence,
      queued: this.#queue.length,
      refused: this.#refused,
    };
  }

  /**
   * Numbers and writes one document. Answers once its bytes are with the kernel, so that they survive the death of
   * this process; with `durable`, once they are on the platter. Rejects with OutboxError: the document was not kept.
   */
  append(document: EcsDocument, options?: { readonly durable?: boolean }): Promise<void> {
    if (this.#closed) return Promise.reject(new OutboxError('closed', 'the outbox is closed'));
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(
        this.#refuse(new OutboxError('overloaded', 'records come faster than the disk takes them'), 1),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ document, durable: options?.durable === true, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** The last time of refusals, once, after it is over. */
  takeInterruption(): Interruption | undefined {
    const interruption = this.#interruption;
    this.#interruption = undefined;
    return interruption;
  }

  /** Segments from this one on are still needed: they are kept even when the quota is reached. */
  keepFrom(segment: number): void {
    this.#keepFrom = segment;
  }

  /** Answers when there is something after `position`, or at once; also when the outbox closes. */
  async beyond(position: Position): Promise<void> {
    while (!this.#closed && comparePositions(this.end, position) <= 0) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Writes and syncs what is waiting, then gives the directory back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#draining;
    // A failure was told to those who waited for it; there is nobody left to deny.
    await this.#group.commit().catch(() => undefined);
    await this.#closeSegment();
    this.#unlock();
    this.#wake();
  }

  async #drain(): Promise<void> {
    // One turn of the event loop: everything the same tick appends shares one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const batch = encodeBatch(this.#queue, this.#sequence);
      this.#queue = this.#queue.slice(batch.taken);
      if (batch.records.length > 0) await this.#keep(batch);
    }
    this.#draining = undefined;
  }

  async #keep(batch: Batch): Promise<void> {
    let written = 0;
    let failure: OutboxError | undefined;
    try {
      await this.#makeRoom(batch.bytes.length);
      const file = await this.#openSegment(batch.bytes.length);
      while (written < batch.bytes.length) {
        const rest = batch.bytes.length - written;
        written += (await file.write(batch.bytes, written, rest, this.#size + written)).bytesWritten;
      }
    } catch (cause) {
      failure = outboxErrorOf(cause);
    }
    const kept = wholeLines(batch.lengths, written);
    this.#size += kept.bytes;
    this.#bytes += kept.bytes;
    this.#sequence += kept.count;
    if (kept.count > 0) {
      this.#group.mark();
      this.#wake();
    }
    if (failure !== undefined) await this.#afterFailure(failure, batch.records.slice(kept.count));
    else if (!this.#syncFailed) this.#recovered();
    this.#answer(batch.records.slice(0, kept.count));
  }

  async #afterFailure(failure: OutboxError, lost: readonly Waiting[]): Promise<void> {
    const file = this.#file;
    // Complete lines stay, since a reader may have seen them; only the torn one is cut.
    await file?.truncate(this.#size).catch(() => {
      this.#suspect = file;
    });
    this.#refuse(failure, lost.length);
    for (const waiting of lost) waiting.reject(failure);
  }

  #answer(kept: readonly Waiting[]): void {
    const durable: Waiting[] = [];
    for (const waiting of kept) {
      if (waiting.durable || this.#syncFailed) durable.push(waiting);
      else waiting.resolve();
    }
    if (durable.length === 0) return;
    this.#group.commit().then(
      () => {
        for (const waiting of durable) waiting.resolve();
      },
      (cause) => {
        const error = this.#refuse(outboxErrorOf(cause), durable.length);
        for (const waiting of durable) waiting.reject(error);
      },
    );
  }

  async #sync(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    try {
      await file.datasync();
    } catch (cause) {
      // After a failed sync the kernel may have dropped the pages and say nothing the second time.
      this.#suspect = file;
      this.#syncFailed = true;
      this.#refuse(outboxErrorOf(cause), 0);
      throw cause;
    }
    if (file === this.#suspect) return;
    this.#syncFailed = false;
    this.#recovered();
  }

  async #closeSegment(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    this.#closedSegments.push({ number: this.#segment, bytes: this.#size });
    await file.close();
  }

  async #openSegment(coming: number): Promise<FileHandle> {
    const full = this.#size > 0 && this.#size + coming > this.#segmentBytes;
    if (this.#file !== undefined && (full || this.#file === this.#suspect)) {
      // Failure is known from the sync itself; a full segment must be durable before the next begins.
      await this.#group.commit().catch(() => undefined);
      await this.#closeSegment();
    }
    if (this.#file !== undefined) return this.#file;
    const number = this.#segment + 1;
    const file = await createDurably(this.directory, segmentPath(this.directory, number));
    this.#segment = number;
    this.#size = 0;
    this.#file = file;
    return file;
  }

  async #makeRoom(coming: number): Promise<void> {
    while (this.#bytes + coming > this.#quotaBytes) {
      const oldest = this.#closedSegments[0];
      if (oldest === undefined || oldest.number >= this.#keepFrom) {
        const message = `the outbox holds ${this.#bytes} of ${this.#quotaBytes} bytes that sinks still need`;
        throw new OutboxError('quota', message);
      }
      await unlink(segmentPath(this.directory, oldest.number));
      this.#closedSegments.shift();
      this.#bytes -= oldest.bytes;
    }
  }

  #lastClosedSize(): number {
    return this.#closedSegments.at(-1)?.bytes ?? 0;
  }

  #refuse(error: OutboxError, count: number): OutboxError {
    const now = this.#now();
    this.#refused += count;
    this.#fault = {
      code: this.#fault?.code ?? error.code,
      from: this.#fault?.from ?? now,
      to: now,
      refused: (this.#fault?.refused ?? 0) + count,
    };
    return error;
  }

  #recovered(): void {
    if (this.#fault === undefined) return;
    this.#interruption = this.#fault;
    this.#fault = undefined;
  }

  #wake(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const watcher of watchers) watcher();
  }
}
