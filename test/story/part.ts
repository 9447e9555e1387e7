// One process of an installation under test: started, listened to, stopped or killed. Its output is kept in a file, so
// that a failed start says why and a secret in a log is found.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE = 30_000;
/** Longer: two gateways that start beside other work have taken 25 s. */
const PATIENCE_OF_START = 90_000;

export interface PartOptions {
  readonly cwd: string;
  /** Takes stdout and stderr. */
  readonly log: string;
  /** Instead of this process's own. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Part {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #log: string;
  #output = '';
  #over = false;

  constructor(name: string, command: string, args: readonly string[], { cwd, log, env }: PartOptions) {
    this.name = name;
    this.#log = log;
    const child = spawn(command, args, {
      ...{ cwd, stdio: ['ignore', 'pipe', 'pipe'] as const },
      ...(env === undefined ? {} : { env }),
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    child.once('close', (code, signal) => {
      this.#over = true;
      resolve({ code, signal });
    });
    child.once('error', (error) => {
      this.#keep(Buffer.from(`${name}: ${error.message}\n`));
      this.#over = true;
      resolve({ code: null, signal: null });
    });
    child.stdout.on('data', (chunk: Buffer) => this.#keep(chunk));
    child.stderr.on('data', (chunk: Buffer) => this.#keep(chunk));
  }

  get running(): boolean {
    return !this.#over;
  }

  /** What it has said since it was started. */
  get output(): string {
    return this.#output;
  }

  #keep(chunk: Buffer): void {
    this.#output += chunk.toString('utf8');
    appendFileSync(this.#log, chunk);
  }

  /** Waits until it has said something; throws with all it said if it ends before. */
  async said(what: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + PATIENCE_OF_START;
    for (;;) {
      const match = what.exec(this.#output);
      if (match !== null) return match;
      if (this.#over || Date.now() > deadline) {
        throw new Error(`${this.name} did not say ${what}, but:\n${this.#output.slice(-4000)}`);
      }
      await sleep(10);
    }
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  /** As an admin stops it; killed if that takes too long. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), PATIENCE);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }
}

/** Everything that was ever written to `file`; '' when it is not there. */
export function contentOf(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Waits until `holds` answers something; `what` names it when it never does. */
export async function until<T>(
  what: string,
  holds: () => T | Promise<T>,
): Promise<Exclude<NonNullable<T>, false>> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const answer = await holds();
    if (answer !== undefined && answer !== null && answer !== false)
      return answer as Exclude<NonNullable<T>, false>;
    if (Date.now() > deadline) throw new Error(`this never came: ${what}`);
    await sleep(20);
  }
}
