// Carries the outbox to one sink, in order and at least once: the cursor moves when a record is acknowledged or is
// in the dead letters, and never before.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { type Line, readLines } from '../outbox/read.ts';
import { comparePositions, type Position } from '../outbox/segment.ts';
import { type Sink, SinkError, type Verdict } from '../sinks/sink.ts';
import { type Cursor, readCursor, writeCursor } from './cursor.ts';
import { addDeadLetter } from './dead-letters.ts';
import { byHalves } from './halves.ts';

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

/** What a receiver will never take, and its reason. */
interface Refused {
  readonly line: Line;
  readonly why: string;
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
    try {
      this.#save(true);
    } catch (error) {
      // As on a full disk. What is delivered once more has the same id.
      this.#options.log.warn({ sink: this.sink.name, err: error }, 'how far it is delivered was not kept');
    }
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

  /** Settles every line of a batch, however often it takes. Throws if the receiver takes nothing at all any more. */
  async #ship(lines: readonly Line[]): Promise<void> {
    const refused = await this.#offer(lines);
    if (this.#stop.signal.aborted) return;
    const [first] = refused;
    if (first !== undefined && refused.length === lines.length && !(await this.#takesWhatItTook())) {
      const message = `it takes nothing any more, of ${lines.length} records the first: ${first.why}`;
      throw new SinkError('refused', message);
    }
    for (const { line, why } of refused) this.#bury(line, why);
    this.#failures = 0;
    this.#advance(lines, refused);
  }

  /** Offers lines until each of them is taken or refused for good; answers those that are refused. */
  async #offer(lines: readonly Line[]): Promise<readonly Refused[]> {
    const refused: Refused[] = [];
    let open = lines;
    while (open.length > 0 && !this.#stop.signal.aborted) {
      try {
        const shipments = open.map(({ bytes }) => ({ line: bytes }));
        const verdicts = await this.sink.deliver(shipments, this.#stop.signal);
        const { again, why, ...rest } = sorted(open, verdicts);
        refused.push(...rest.refused);
        if (again.length > 0) {
          const message = `${again.length} of ${open.length} records: ${why}`;
          await this.#backOff(new SinkError('unavailable', message));
        }
        open = again;
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        if (error instanceof SinkError && error.code === 'batch-rejected') {
          const alone = (line: Line): Refused => ({ line, why: error.message });
          return [...refused, ...(await byHalves(open, alone, (half) => this.#offer(half)))];
        }
        await this.#backOff(error);
      }
    }
    return refused;
  }

  /**
   * Whether the receiver takes the last record again that it took before. If it refuses that one too, what is wrong are
   * its settings or ours, and setting records aside would be losing them.
   */
  async #takesWhatItTook(): Promise<boolean> {
    const { taken } = this.#cursor;
    if (taken === undefined) return false;
    for await (const [line] of readLines(this.#options.outbox.directory, taken)) {
      if (line === undefined || comparePositions(line.position, taken) !== 0) return false;
      return (await this.#offer([line])).length === 0 && !this.#stop.signal.aborted;
    }
    return false;
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

  #advance(lines: readonly Line[], refused: readonly Refused[]): void {
    const last = lines.at(-1);
    if (last === undefined) return;
    const before = this.#cursor;
    const aside = new Set(refused.map(({ line }) => line));
    const taken = lines.findLast((line) => !aside.has(line))?.position ?? before.taken;
    this.#cursor = {
      position: last.next,
      delivered: before.delivered + lines.length - refused.length,
      deadLetters: before.deadLetters + refused.length,
      at: this.#options.now(),
      ...(taken && { taken }),
    };
    this.#save(false);
    this.#options.onProgress?.();
  }

  #save(force: boolean): void {
    const { outbox, now } = this.#options;
    // Also when the clock was set back.
    if (!force && Math.abs(now() - this.#savedAt) < SAVE_EVERY_MS) return;
    writeCursor(outbox.directory, this.sink.name, this.#cursor);
    this.#savedAt = now();
  }

  /** Waits longer each time, with full jitter, so that many gateways do not come back in step. */
  async #backOff(error: unknown): Promise<void> {
    const { firstRetryMs = 500, lastRetryMs = 30_000, random, log, now } = this.#options;
    this.#retries += 1;
    this.#failures += 1;
    if (Math.abs(now() - this.#complainedAt) >= LOG_EVERY_MS) {
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

/** What is to be offered again with the last reason for it, and what is refused for good. */
function sorted(
  lines: readonly Line[],
  verdicts: readonly Verdict[],
): { readonly again: Line[]; readonly why: string; readonly refused: Refused[] } {
  const again: Line[] = [];
  const refused: Refused[] = [];
  let why = '';
  for (const [index, line] of lines.entries()) {
    const verdict = verdicts[index] ?? { kind: 'retry', why: 'the sink gave no verdict' };
    if (verdict.kind === 'rejected') refused.push({ line, why: verdict.why });
    if (verdict.kind !== 'retry') continue;
    again.push(line);
    why = verdict.why;
  }
  return { again, why, refused };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
