// The durable local record of every event. append() answers only when the record is written, and must never say so
// of one that is not; sinks are served from here, never from memory.
import { closeSync, fdatasync, ftruncateSync, unlinkSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { EcsDocument, NumberedLine } from '../ecs/document.ts';
import { OutboxError, outboxErrorOf } from './error.ts';
import { GroupCommit } from './group-commit.ts';
import { LineBuffer } from './line-buffer.ts';
import { lockDirectory } from './lock.ts';
import {
  comparePositions,
  createSegment,
  type Position,
  recoverSegments,
  type Segment,
  segmentPath,
} from './segment.ts';
import { type Interruption, Troubles } from './troubles.ts';

export interface OutboxOptions {
  /** Owned by this process alone, on a local disk; created with mode 0700. */
  readonly directory: string;
  /** All segments together. When it is reached, the oldest segments that nobody needs go; else append() refuses. */
  readonly quotaBytes?: number;
  /** A segment is closed before it grows beyond this. */
  readonly segmentBytes?: number;
  /** Records reach the platter at most this long (plus one fdatasync) after append() answered. */
  readonly syncEveryMs?: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** For metrics and heartbeats. */
export interface OutboxStanding {
  readonly bytes: number;
  readonly quotaBytes: number;
  readonly segments: number;
  /** Number of the last record. */
  readonly sequence: number;
  /** Records refused since the process started. */
  readonly refused: number;
}

/** The segment that is being written. */
interface OpenSegment {
  readonly number: number;
  readonly fd: number;
  size: number;
}

const GIB = 1024 ** 3;
const syncData = promisify(fdatasync);

export class Outbox {
  readonly directory: string;
  /** Bytes of a torn last record that were cut when this outbox was opened. */
  readonly repairedBytes: number;
  readonly #quotaBytes: number;
  readonly #segmentBytes: number;
  readonly #unlock: () => void;
  readonly #group: GroupCommit;
  readonly #line = new LineBuffer();

  /** Segments that are written no more, oldest first. */
  readonly #past: Segment[];
  #current: OpenSegment | undefined;
  /** Written, and not known to be on the platter. */
  #unsynced: OpenSegment[] = [];
  #bytes: number;
  #sequence: number;
  readonly #keepFrom = new Map<string, number>();
  #closed = false;
  #syncedEnd: Position;

  /** The last sync failed: until one succeeds, nothing counts as kept before it is synced. */
  #syncFailed = false;
  readonly #troubles: Troubles;
  readonly #watchers: (() => void)[] = [];
  readonly #syncListeners: (() => void)[] = [];

  /** Opens the outbox and repairs what a crash left. Throws OutboxError `locked`, `loose-mode` or `io`. */
  constructor(options: OutboxOptions) {
    this.directory = options.directory;
    this.#quotaBytes = options.quotaBytes ?? 10 * GIB;
    // Only whole segments can go: one that fills the quota alone would have records refused for ever.
    this.#segmentBytes = options.segmentBytes ?? Math.min(GIB / 32, this.#quotaBytes / 8);
    this.#troubles = new Troubles(options.now);
    this.#group = new GroupCommit(() => this.#sync(), options.syncEveryMs ?? 50);
    this.#unlock = lockDirectory(options.directory);
    try {
      const found = recoverSegments(options.directory);
      this.repairedBytes = found.cut;
      this.#past = found.segments;
      this.#sequence = Number((found.last as Partial<EcsDocument> | undefined)?.event?.sequence ?? 0);
      this.#bytes = found.segments.reduce((sum, { bytes }) => sum + bytes, 0);
      this.#syncedEnd = this.end;
    } catch (cause) {
      this.#unlock();
      throw outboxErrorOf(cause);
    }
  }

  /** False from a refused or unsynced record until the next one that is kept. */
  get healthy(): boolean {
    return !this.#troubles.present && !this.#closed;
  }

  /** Where the records end. */
  get end(): Position {
    if (this.#current !== undefined) return { segment: this.#current.number, offset: this.#current.size };
    const last = this.#past.at(-1);
    return { segment: last?.number ?? 0, offset: last?.bytes ?? 0 };
  }

  /** Where the records end that would survive a power cut. */
  get syncedEnd(): Position {
    return this.#syncedEnd;
  }

  get standing(): OutboxStanding {
    return {
      bytes: this.#bytes,
      quotaBytes: this.#quotaBytes,
      segments: this.#past.length + (this.#current === undefined ? 0 : 1),
      sequence: this.#sequence,
      refused: this.#troubles.refused,
    };
  }

  /**
   * Numbers and writes one record. Answers once its bytes are with the kernel, so that they survive the death of
   * this process; with `durable`, once they are on the platter. Rejects with OutboxError: the record was not kept.
   *
   * The write is synchronous: into the page cache it takes 2 us, where a turn through the thread pool takes 30 us of
   * CPU and lets the order of answers drift from that of the records. Syncing never blocks.
   */
  async append(record: EcsDocument | NumberedLine, options?: { readonly durable?: boolean }): Promise<void> {
    try {
      if (this.#closed) throw new OutboxError('closed', 'the outbox is closed');
      this.#write(this.#line.encode(record, this.#sequence + 1));
    } catch (cause) {
      throw this.#troubles.refuse(outboxErrorOf(cause));
    }
    this.#sequence += 1;
    this.#wake();
    if (options?.durable !== true && !this.#syncFailed) {
      this.#troubles.over();
      this.#group.mark();
      return;
    }
    try {
      await this.#group.commit();
    } catch (cause) {
      throw this.#troubles.refuse(outboxErrorOf(cause));
    }
    this.#troubles.over();
  }

  /** The last time of refusals, once, after it is over. */
  takeInterruption(): Interruption | undefined {
    return this.#troubles.take();
  }

  /** `reader` still needs the segments from this one on: they are kept even when the quota is reached. */
  keepFrom(reader: string, segment: number): void {
    this.#keepFrom.set(reader, segment);
  }

  /** Answers when everything appended before this call would survive a power cut. */
  flush(): Promise<void> {
    return this.#group.commit();
  }

  /** Answers when there is something after `position`, or at once; also when the outbox closes. */
  async beyond(position: Position): Promise<void> {
    while (!this.#closed && comparePositions(this.end, position) <= 0) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** `listener` is called each time when syncedEnd has moved. */
  onSynced(listener: () => void): void {
    this.#syncListeners.push(listener);
  }

  /** Syncs what is written, then gives the directory back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retire();
    // A failure was told to those who waited for it; there is nobody left to deny.
    await this.#group.commit().catch(() => undefined);
    for (const { fd } of this.#unsynced) closeSync(fd);
    this.#unlock();
    this.#wake();
  }

  #write(line: Buffer): void {
    this.#makeRoom(line.length);
    const segment = this.#segmentFor(line.length);
    let written = 0;
    try {
      while (written < line.length) {
        written += writeSync(segment.fd, line, written, line.length - written, segment.size + written);
      }
    } catch (cause) {
      this.#cutTorn(segment);
      throw cause;
    }
    segment.size += line.length;
    this.#bytes += line.length;
  }

  #cutTorn(segment: OpenSegment): void {
    try {
      ftruncateSync(segment.fd, segment.size);
    } catch {
      // Readers know that a line without end before another segment is no record.
      this.#retire();
    }
  }

  #segmentFor(coming: number): OpenSegment {
    const { size } = this.#current ?? { size: 0 };
    if (size > 0 && size + coming > this.#segmentBytes) this.#retire();
    if (this.#current !== undefined) return this.#current;
    const number = this.end.segment + 1;
    const fd = createSegment(this.directory, number);
    this.#current = { number, fd, size: 0 };
    this.#unsynced.push(this.#current);
    return this.#current;
  }

  /** The current segment is written no more; the next sync closes it. */
  #retire(): void {
    const segment = this.#current;
    if (segment === undefined) return;
    this.#past.push({ number: segment.number, bytes: segment.size });
    this.#current = undefined;
    this.#group.mark();
  }

  #makeRoom(coming: number): void {
    while (this.#bytes + coming > this.#quotaBytes) {
      const oldest = this.#past[0];
      if (oldest === undefined || oldest.number >= Math.min(...this.#keepFrom.values())) {
        throw new OutboxError('quota', `all ${this.#bytes} bytes of the outbox are still needed`);
      }
      unlinkSync(segmentPath(this.directory, oldest.number));
      this.#past.shift();
      this.#bytes -= oldest.bytes;
    }
  }

  async #sync(): Promise<void> {
    const { end } = this;
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
        if (segment === this.#current) this.#retire();
      }
      // What became full meanwhile waits for the next sync, also if an earlier segment of this one held it up.
      if (!this.#unsynced.includes(segment)) closeSync(fd);
    }
    if (failure !== undefined) {
      this.#syncFailed = true;
      this.#troubles.note(failure, 0);
      throw failure;
    }
    if (this.#syncFailed) this.#troubles.over();
    this.#syncFailed = false;
    this.#syncedEnd = end;
    for (const listener of this.#syncListeners) listener();
  }

  #wake(): void {
    if (this.#watchers.length > 0) for (const watcher of this.#watchers.splice(0)) watcher();
  }
}
