// The durable local record of every event. append() answers only when the record is written, and must never say so
// of one that is not; sinks are served from here, never from memory.
import type { EcsDocument, NumberedLine } from '../ecs/document.ts';
import { OutboxError, outboxErrorOf } from './error.ts';
import { GroupCommit } from './group-commit.ts';
import { LineBuffer } from './line-buffer.ts';
import { lockDirectory } from './lock.ts';
import { comparePositions, type Position, recoverSegments } from './segment.ts';
import { Tail } from './tail.ts';
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
  /** Calls `step` once, when all that is due in this turn of the event loop has been done; `setImmediate` if left out. */
  readonly endOfTurn?: (step: () => void) => void;
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

/** A record that is to be written, and whoever waits for it. */
interface Waiting {
  readonly record: EcsDocument | NumberedLine;
  kept(): void;
  refused(cause: unknown): void;
}

const GIB = 1024 ** 3;

export class Outbox {
  readonly directory: string;
  /** Bytes of a torn last record that were cut when this outbox was opened. */
  readonly repairedBytes: number;
  /** When the last record was made that was there at the opening, epoch milliseconds; 0 if there was none. */
  readonly recordedUntil: number;
  readonly #quotaBytes: number;
  readonly #endOfTurn: (step: () => void) => void;
  readonly #tail: Tail;
  readonly #unlock: () => void;
  readonly #group: GroupCommit;
  readonly #lines = new LineBuffer();
  /** Appended in this turn of the event loop, in order. */
  #waiting: Waiting[] = [];

  #sequence: number;
  #closed = false;
  #syncedEnd: Position;

  #pretendsFull = false;
  /** The last sync failed: until one succeeds, nothing counts as kept before it is synced. */
  #syncFailed = false;
  readonly #troubles: Troubles;
  readonly #watchers: (() => void)[] = [];
  readonly #syncListeners: (() => void)[] = [];

  /** Opens the outbox and repairs what a crash left. Throws OutboxError `locked`, `loose-mode` or `io`. */
  constructor(options: OutboxOptions) {
    this.directory = options.directory;
    this.#quotaBytes = options.quotaBytes ?? 10 * GIB;
    this.#endOfTurn = options.endOfTurn ?? setImmediate;
    // Only whole segments can go: one that fills the quota alone would have records refused for ever.
    const segmentBytes = options.segmentBytes ?? Math.min(GIB / 32, this.#quotaBytes / 8);
    this.#troubles = new Troubles(options.now);
    this.#group = new GroupCommit(() => this.#sync(), options.syncEveryMs ?? 50);
    this.#unlock = lockDirectory(options.directory);
    try {
      const found = recoverSegments(options.directory);
      this.repairedBytes = found.cut;
      this.#tail = new Tail({
        directory: options.directory,
        segments: found.segments,
        quotaBytes: this.#quotaBytes,
        segmentBytes,
        onRetired: () => this.#group.mark(),
      });
      const last = found.last as Partial<EcsDocument> | undefined;
      this.#sequence = Number(last?.event?.sequence ?? 0);
      this.recordedUntil = Date.parse(last?.['@timestamp'] ?? '') || 0;
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
    return this.#tail.end;
  }

  /** Where the records end that would survive a power cut. */
  get syncedEnd(): Position {
    return this.#syncedEnd;
  }

  get standing(): OutboxStanding {
    return {
      bytes: this.#tail.bytes,
      quotaBytes: this.#quotaBytes,
      segments: this.#tail.segments,
      sequence: this.#sequence,
      refused: this.#troubles.refused,
    };
  }

  /**
   * Numbers and writes one record. Answers once its bytes are with the kernel, so that they survive the death of
   * this process; with `durable`, once they are on the platter. Rejects with OutboxError: the record was not kept.
   *
   * What is appended in one turn of the event loop is written at its end in one call. The write is synchronous: into
   * the page cache it takes 3 us, where a turn through the thread pool takes 30 us of CPU and lets the order of
   * answers drift from that of the records. Syncing never blocks.
   */
  async append(record: EcsDocument | NumberedLine, options?: { readonly durable?: boolean }): Promise<void> {
    try {
      if (this.#closed) throw new OutboxError('closed', 'the outbox is closed');
      if (this.#pretendsFull) throw new OutboxError('no-space', 'there is no room: this is a drill');
      await new Promise<void>((kept, refused) => {
        if (this.#waiting.length === 0) this.#endOfTurn(() => this.#writeWaiting());
        this.#waiting.push({ record, kept, refused });
      });
    } catch (cause) {
      throw this.#troubles.refuse(outboxErrorOf(cause));
    }
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

  /** Refuses everything from now on as if the disk were full, or no more; for drills. */
  pretendFull(yes: boolean): void {
    this.#pretendsFull = yes;
    if (yes) this.#troubles.note(new OutboxError('no-space', 'there is no room: this is a drill'), 0);
    else this.#troubles.over();
  }

  /** The last time of refusals, once, after it is over. */
  takeInterruption(): Interruption | undefined {
    return this.#troubles.take();
  }

  /** `reader` still needs the segments from this one on: they are kept even when the quota is reached. */
  keepFrom(reader: string, segment: number): void {
    this.#tail.keepFrom(reader, segment);
  }

  /** Answers when everything appended before this call would survive a power cut. */
  flush(): Promise<void> {
    this.#writeWaiting();
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
    this.#writeWaiting();
    this.#closed = true;
    this.#tail.retire();
    // A failure was told to those who waited for it; there is nobody left to deny.
    await this.#group.commit().catch(() => undefined);
    this.#tail.close();
    this.#unlock();
    this.#wake();
  }

  #writeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    let group: Waiting[] = [];
    for (const one of waiting) {
      const before = this.#lines.length;
      try {
        this.#lines.add(one.record, this.#sequence + group.length + 1);
        if (before > 0 && this.#outgrown(this.#lines.length)) {
          this.#lines.cut(before);
          this.#writeGroup(group);
          group = [];
          // Its number is another one if the group was refused.
          this.#lines.add(one.record, this.#sequence + 1);
        }
        group.push(one);
      } catch (cause) {
        one.refused(cause);
      }
    }
    this.#writeGroup(group);
  }

  /** Writes the collected lines, which are those of `group`: all of them, or none. */
  #writeGroup(group: readonly Waiting[]): void {
    if (group.length === 0) return;
    try {
      this.#tail.write(this.#lines.bytes);
    } catch (cause) {
      for (const { refused } of group) refused(cause);
      return;
    } finally {
      this.#lines.cut(0);
    }
    this.#sequence += group.length;
    for (const { kept } of group) kept();
    this.#wake();
  }

  /** Whether so many bytes are too many for one write, or for what is left of the segment. */
  #outgrown(coming: number): boolean {
    return this.#lines.full || !this.#tail.fits(coming);
  }

  async #sync(): Promise<void> {
    const { end } = this.#tail;
    try {
      await this.#tail.sync();
    } catch (cause) {
      const failure = outboxErrorOf(cause);
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
