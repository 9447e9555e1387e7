// Follows the outbox and puts every record into one of two transparency logs: changes before they take effect,
// everything else within a second. It logs only records that would survive a power cut, so no signed tree forgets one.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerCheckpoint } from '../gateway-event.ts';
import type { Log } from '../log.ts';
import { type Line, readLines } from '../outbox/read.ts';
import { comparePositions, type Position, START } from '../outbox/segment.ts';
import { LedgerError } from './error.ts';
import { leafHash } from './hash.ts';
import { actionOf, CHECKPOINT_ACTION, type LogName, logOf } from './kinds.ts';
import { type Sealed, TransparencyLog } from './log.ts';
import { lastLoggedChange, positionAfter } from './resume.ts';

/** What the ledger needs of the outbox. */
export interface DurableSource {
  readonly directory: string;
  readonly syncedEnd: Position;
  onSynced(listener: () => void): void;
  keepFrom(reader: string, segment: number): void;
  flush(): Promise<void>;
}

export interface LedgerOptions {
  /** The two logs lie in directories of their names below it. */
  readonly directory: string;
  readonly outbox: DurableSource;
  /** Schema-less URL of this gateway's logs; each adds its name. Once the keys are made, they keep their names. */
  readonly origin: string;
  readonly log: Log;
}

/** Decisions are sealed so many milliseconds after the first that is not: a seal costs milliseconds of CPU. */
const SEAL_WITHIN = 1_000;
const RETRY_AFTER = 1_000;
const READER = 'ledger';

interface Waiter {
  readonly upTo: Position;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #changes: TransparencyLog;
  readonly #decisions: TransparencyLog;
  #stopped = false;
  readonly #closing = new AbortController();
  /** Wakes the loop that waits. */
  #wake: () => void = () => undefined;
  /** Changes up to this one are logged already. */
  readonly #skipChanges: Position;
  /** So are decisions before this place. */
  readonly #skipDecisions: Position;
  /** Everything before it has been appended. */
  #position: Position;
  /** The last decision that was appended, where the next start looks for the end of the log. */
  #lastDecision: Position;
  /** When decisions must be sealed, by the monotonic clock; undefined while nothing new is there. */
  #dueAt: number | undefined;
  #waiters: Waiter[] = [];
  #publish: (event: LedgerCheckpoint) => Promise<unknown> = async () => undefined;
  #done: Promise<void> | undefined;

  private constructor(
    options: LedgerOptions,
    logs: Readonly<Record<LogName, TransparencyLog>>,
    from: Readonly<Record<LogName, Position>>,
    skipChanges: Position,
  ) {
    this.#options = options;
    this.#changes = logs.changes;
    this.#decisions = logs.decisions;
    this.#position = comparePositions(from.changes, from.decisions) < 0 ? from.changes : from.decisions;
    this.#lastDecision = from.decisions;
    this.#skipChanges = skipChanges;
    this.#skipDecisions = from.decisions;
    options.outbox.keepFrom(READER, this.#position.segment);
  }

  /** Opens both logs, finds where they stopped and takes up what came after. Throws LedgerError. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const { directory, origin, outbox } = options;
    const changes = await TransparencyLog.open(join(directory, 'changes'), `${origin}/changes`, true);
    const decisions = await TransparencyLog.open(join(directory, 'decisions'), `${origin}/decisions`, false);
    const position = await positionAfter(outbox.directory, decisions.lastLeaf());
    const lastChange = changes.lastLeaf();
    const skip = await lastLoggedChange(outbox.directory, position, lastChange);
    // A log of changes that has none is made anew of all that the outbox has.
    const from = { decisions: position, changes: lastChange === undefined ? START : position };
    const ledger = new Ledger(options, { changes, decisions }, from, skip ?? BEFORE_ALL);
    await ledger.#follow();
    return ledger;
  }

  /** Follows from now on. `publish` records a checkpoint, so that sinks keep it off this machine. */
  start(publish: (event: LedgerCheckpoint) => Promise<unknown>): void {
    this.#publish = publish;
    this.#options.outbox.onSynced(() => this.#wake());
    this.#done ??= this.#run();
    // What the run before sealed last, nobody heard of.
    for (const [name, { sealed }] of [
      ['changes', this.#changes],
      ['decisions', this.#decisions],
    ] as const) {
      if (sealed !== undefined && sealed.size > 0) this.#tell(name, sealed);
    }
  }

  /** Leaves of the changes log that are signed. */
  get changesLogged(): number {
    return this.#changes.sealed?.size ?? 0;
  }

  /** Answers when every change that is durable in the outbox is in the log, signed and on the platter. */
  async committed(): Promise<void> {
    const upTo = this.#options.outbox.syncedEnd;
    if (this.#stopped) throw new LedgerError('closed', 'the log is closed');
    if (comparePositions(this.#position, upTo) >= 0 && this.#changesSealed) return;
    await new Promise<void>((resolve, reject) => this.#waiters.push({ upTo, resolve, reject }));
  }

  /** Logs and seals all that is recorded; the outbox must still be open. */
  async close(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#closing.abort();
    this.#wake();
    await this.#done;
    // A checkpoint that is recorded now would be in no log: the next start tells of it.
    this.#publish = async () => undefined;
    // Nobody waits for what fails now: the next start takes it up.
    const { outbox, log } = this.#options;
    try {
      await outbox.flush();
      await this.#follow();
      if (this.#decisions.size > (this.#decisions.sealed?.size ?? 0)) await this.#decisions.seal();
    } catch (error) {
      log.error({ err: error }, 'the transparency log is not complete; the next start completes it');
    }
    this.#answer(new LedgerError('closed', 'the log is closed'));
  }

  get #isDue(): boolean {
    return this.#dueAt !== undefined && performance.now() >= this.#dueAt;
  }

  get #changesSealed(): boolean {
    return this.#changes.size === (this.#changes.sealed?.size ?? 0);
  }

  async #run(): Promise<void> {
    const { outbox, log } = this.#options;
    while (!this.#stopped) {
      const behind = comparePositions(this.#position, outbox.syncedEnd) < 0;
      try {
        if (behind || !this.#changesSealed) await this.#follow();
        else if (this.#isDue) await this.#sealDecisions();
        else await this.#pause();
      } catch (error) {
        log.error(
          { err: error },
          'the transparency log cannot be written: no change takes effect until it can',
        );
        this.#answer(asLedgerError(error));
        // Whoever closes meanwhile does not wait for it: with nothing else to do the process would end in between.
        await sleep(RETRY_AFTER, undefined, { ref: false, signal: this.#closing.signal }).catch(
          () => undefined,
        );
      }
    }
  }

  /** Until there is something new, a checkpoint is due, or all shall end. */
  async #pause(): Promise<void> {
    const due = this.#dueAt;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (due !== undefined) setTimeout(resolve, Math.max(1, due - performance.now())).unref();
    });
  }

  /** Appends every durable record that is not yet, a chunk of the file at a time. */
  async #follow(): Promise<void> {
    const { outbox } = this.#options;
    const end = outbox.syncedEnd;
    // What an earlier attempt appended and could not seal.
    await this.#sealChanges();
    if (comparePositions(this.#position, end) >= 0) return;
    for await (const lines of readLines(outbox.directory, this.#position)) {
      for (const line of lines) {
        if (comparePositions(line.next, end) > 0) return this.#sealChanges();
        this.#append(line);
      }
      await this.#sealChanges();
      if (this.#isDue) await this.#sealDecisions();
    }
    await this.#sealChanges();
  }

  #append({ bytes, position, next }: Line): void {
    const action = actionOf(bytes);
    if (logOf(action) === 'changes') {
      if (comparePositions(position, this.#skipChanges) > 0) this.#changes.append(leafHash(bytes), bytes);
    } else if (comparePositions(position, this.#skipDecisions) >= 0) {
      this.#decisions.append(leafHash(bytes), bytes);
      this.#lastDecision = position;
      if (action !== CHECKPOINT_ACTION) this.#dueAt ??= performance.now() + SEAL_WITHIN;
    }
    this.#position = next;
  }

  /** Comes before sealing decisions: a sealed decision says that all changes before it are sealed. */
  async #sealChanges(): Promise<void> {
    if (!this.#changesSealed) this.#tell('changes', await this.#changes.seal());
    this.#answer();
  }

  async #sealDecisions(): Promise<void> {
    const sealed = await this.#decisions.seal();
    this.#dueAt = undefined;
    this.#options.outbox.keepFrom(READER, this.#lastDecision.segment);
    this.#tell('decisions', sealed);
  }

  #tell(log: LogName, { size, root, note }: Sealed): void {
    const event = { kind: 'ledger-checkpoint', log, size, root: root.toString('hex'), note } as const;
    this.#publish(event).catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'a checkpoint was not recorded; the next one says more');
    });
  }

  /** Answers those whose changes are in the log; with an error, everybody. */
  #answer(error?: LedgerError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (error !== undefined) waiter.reject(error);
      else if (comparePositions(this.#position, waiter.upTo) >= 0) waiter.resolve();
      else this.#waiters.push(waiter);
    }
  }
}

const BEFORE_ALL: Position = { ...START, segment: -1 };

function asLedgerError(error: unknown): LedgerError {
  if (error instanceof LedgerError) return error;
  return new LedgerError('io', `the transparency log cannot be written: ${(error as Error).message}`, {
    cause: error,
  });
}
