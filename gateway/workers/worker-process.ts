// One worker as its supervisor sees it: a process that is started, started again when it dies, and stopped.
import type { ChildProcess } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import type { Log } from '#siem/log';
import type { AnsweredMessage, ReadyMessage, SeatMessage, TicketsMessage } from './seat.ts';

/** After this many milliseconds of life, a death is not put down to what it was started with. */
const HEALTHY = 30_000;
/** Pause before a second start that follows a short life, doubled with each further one; milliseconds. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;

/** Milliseconds to wait before a worker is started that has died so many times in a row within a short life. */
export function pauseAfter(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (deaths - 2));
}

/** A worker ended before it served; it has said why on stderr. */
export class WorkerError extends Error {
  readonly code = 'worker-failed';
}

export interface WorkerOptions {
  readonly number: number;
  /** Starts a process that takes its seat. */
  launch(): ChildProcess;
  /** What it is to be told at this moment. */
  seat(): SeatMessage;
  readonly log: Log;
}

export class WorkerProcess {
  readonly number: number;
  readonly #options: WorkerOptions;
  #child: ChildProcess | undefined;
  #ready: ReadyMessage | undefined;
  #again: NodeJS.Timeout | undefined;
  #stopping = false;
  #deaths = 0;
  #restarts = 0;
  readonly #first = Promise.withResolvers<ReadyMessage>();
  readonly #answered = Promise.withResolvers<void>();
  readonly #last = Promise.withResolvers<number>();

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.number = options.number;
    this.#start();
  }

  /** When it serves for the first time; rejects if it ends before. */
  get first(): Promise<ReadyMessage> {
    return this.#first.promise;
  }

  /** When it stops and nobody is left there who could ask. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  /** The exit code once it has ended for good. */
  get ended(): Promise<number> {
    return this.#last.promise;
  }

  /** Where it says how it is; undefined while it does not serve. */
  get health(): AddressInfo | undefined {
    return this.#ready?.health;
  }

  get restarts(): number {
    return this.#restarts;
  }

  tell(message: TicketsMessage | AnsweredMessage): void {
    if (this.#child?.connected === true) this.#child.send(message);
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  /** Lets it finish; it is not started again. */
  stop(name: NodeJS.Signals): void {
    this.#stopping = true;
    clearTimeout(this.#again);
    if (this.#child === undefined) this.#last.resolve(0);
    else this.#child.kill(name);
  }

  #start(): void {
    const { launch, seat, log, number } = this.#options;
    const child = launch();
    this.#child = child;
    const bornAt = performance.now();
    child.on('message', (message: ReadyMessage | AnsweredMessage) => {
      if (message.kind === 'answered') return this.#answered.resolve();
      this.#ready = message;
      this.#first.resolve(message);
    });
    // A child that dies while it is spoken to tells so by its end.
    child.on('error', (error) => log.error({ err: error, worker: number }, 'a worker has a fault'));
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      const served = this.#ready !== undefined;
      this.#ready = undefined;
      this.#over(code ?? 1, served || this.#restarts > 0, performance.now() - bornAt, signal);
    });
    child.send(seat());
  }

  #over(code: number, served: boolean, life: number, signal: NodeJS.Signals | null): void {
    const { log, number } = this.#options;
    if (!served) this.#first.reject(new WorkerError(`Worker ${number} ended with ${signal ?? code}.`));
    if (this.#stopping || !served) {
      // One that was only being started again did not know the signal yet.
      const asTold = this.#stopping && (signal === 'SIGTERM' || signal === 'SIGINT');
      this.#last.resolve(asTold ? 0 : code);
      return;
    }
    this.#deaths = life >= HEALTHY ? 1 : this.#deaths + 1;
    const pause = pauseAfter(this.#deaths);
    log.error({ worker: number, code, signal, pause }, 'a worker died: it is started again');
    this.#again = setTimeout(() => {
      this.#restarts += 1;
      this.#start();
    }, pause);
  }
}
