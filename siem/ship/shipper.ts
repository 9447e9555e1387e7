// Carries the outbox to one sink, in order and at least once: the cursor moves when a record is acknowledged or is
// in the dead letters, and never before.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { type Line, readLines } from '../outbox/read.ts';
import { comparePositions, type Position } from '../outbox/segment.ts';
import { type Sink, SinkError, type Verdict } from '../sinks/sink.ts';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import { addDeadLetter } from './dead-letters.ts';

/** What a shipper needs of the outbox. */
export interface Source {
  readonly directory: string;
  readonly end: Position;
  beyond(position: Position): Promise<void>;
}

export interface ShipperOptions {
  readonly outbox: Source;
  readonly sink: Sink;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Called when the cursor moved. */
  readonly onProgress?: () => void;
  /** Records are gathered this long before they go, when there are few. */
  readonly lingerMs?: number;
  readonly firstRetryMs?: number;
  readonly lastRetryMs?: number;
}

const SAVE_EVERY_MS = 20;
const LOG_EVERY_MS = 60_000;

export class Shipper {
  readonly sink: Sink;
  readonly #options: ShipperOptions;
  readonly #stop = new AbortController();
  #cursor: Cursor;
  #savedAt = 0;
  #retries = 0;
  #failures = 0;
  #complainedAt = Number.NEGATIVE_INFINITY;
  #done: Promise<void> | undefined;

  constructor(options: ShipperOptions) {
    this.sink = options.sink;
    this.#options = options;
    this.#cursor = readCursor(options.outbox.directory, options.sink.name);
  }

  /** What is settled so far. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  get retries(): number {
    return this.#retries;
  }

  /** False while the receiver does not take what it is given. */
  get healthy(): boolean {
    return this.#failures === 0;
  }

  start(): void {
    this.#done ??= this.#run();
  }

  /** Answers when the last delivery has ended and the cursor is saved. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.#save(true);
    await this.sink.close();
  }

  async #run(): Promise<void> {
    const { outbox, lingerMs = 50 } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await Promise.race([outbox.beyond(this.#cursor.position), aborted(signal)]);
        await sleep(lingerMs, undefined, { signal });
        await this.#shipAll();
      } catch (error) {
        if (signal.aborted) return;
        await this.#backOff(error);
      }
    }
  }

  async #shipAll(): Promise<void> {
    for await (const lines of readLines(this.#options.outbox.directory, this.#cursor.position)) {
      await this.#ship(lines);
      if (this.#stop.signal.aborted) return;
    }
  }

  /** Settles every line of a batch, however often it takes. */
  async #ship(lines: readonly Line[]): Promise<void> {
    let open = lines;
    while (open.length > 0 && !this.#stop.signal.aborted) {
      try {
        const shipments = open.map(({ bytes }) => ({ line: bytes }));
        open = await this.#settle(open, await this.sink.deliver(shipments, this.#stop.signal));
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (error instanceof SinkError && error.code === 'batch-rejected') {
          open = await this.#divide(open, error);
        } else {
          await this.#backOff(error);
        }
      }
    }
  }

  /** Dead-letters what was rejected; answers what must be tried again. */
  async #settle(lines: readonly Line[], verdicts: readonly Verdict[]): Promise<readonly Line[]> {
    const again: Line[] = [];
    let delivered = 0;
    let dead = 0;
    let why = '';
    for (const [index, line] of lines.entries()) {
      const verdict = verdicts[index] ?? { kind: 'retry', why: 'the sink gave no verdict' };
      if (verdict.kind === 'retry') {
        again.push(line);
        why = verdict.why;
      } else if (verdict.kind === 'rejected') {
        this.#bury(line, verdict.why);
        dead += 1;
      } else {
        delivered += 1;
      }
    }
    const first = again[0];
    const last = lines.at(-1);
    if (first === undefined && last !== undefined) {
      this.#failures = 0;
      this.#advance(last.next, delivered, dead);
    } else if (first !== undefined) {
      // What is settled behind an unsettled record may be sent again after a crash, by the same id.
      this.#advance(first.position, delivered, dead);
      await this.#backOff(new SinkError('unavailable', `${again.length} of ${lines.length} records: ${why}`));
    }
    return again;
  }

  /** Finds the records that a receiver refuses by halving what it refused. */
  async #divide(lines: readonly Line[], error: SinkError): Promise<readonly Line[]> {
    const [only] = lines;
    if (only !== undefined && lines.length === 1) {
      this.#bury(only, error.message);
      this.#advance(only.next, 0, 1);
      return [];
    }
    const half = lines.length >> 1;
    await this.#ship(lines.slice(0, half));
    await this.#ship(lines.slice(half));
    return [];
  }

  #bury(line: Line, why: string): void {
    const { outbox, log, now } = this.#options;
    addDeadLetter(outbox.directory, this.sink.name, {
      line: line.bytes,
      position: line.position,
      why,
      at: now(),
    });
    log.error({ sink: this.sink.name, why }, 'a record was refused for good and is in the dead letters');
  }

  #advance(position: Position, delivered: number, deadLetters: number): void {
    const before = this.#cursor;
    this.#cursor = {
      position: comparePositions(position, before.position) > 0 ? position : before.position,
      delivered: before.delivered + delivered,
      deadLetters: before.deadLetters + deadLetters,
      at: this.#options.now(),
    };
    this.#save(false);
    this.#options.onProgress?.();
  }

  #save(force: boolean): void {
    const { outbox, now } = this.#options;
    if (!force && now() - this.#savedAt < SAVE_EVERY_MS) return;
    writeCursor(outbox.directory, this.sink.name, this.#cursor);
    this.#savedAt = now();
  }

  /** Waits longer each time, with full jitter, so that many gateways do not come back in step. */
  async #backOff(error: unknown): Promise<void> {
    const { firstRetryMs = 500, lastRetryMs = 30_000, random, log, now } = this.#options;
    this.#retries += 1;
    this.#failures += 1;
    if (now() - this.#complainedAt >= LOG_EVERY_MS) {
      this.#complainedAt = now();
      log.warn(
        { sink: this.sink.name, err: error },
        'events wait in the outbox: their sink does not take them',
      );
    }
    const ceiling = Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(this.#failures - 1, 20));
    const asked = error instanceof SinkError ? error.retryAfterMs : undefined;
    await sleep(asked ?? ceiling * random(), undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
