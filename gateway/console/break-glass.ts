// Accounts for emergencies. Each is sealed until it is opened, which is an alert; then it may do everything for a while;
// then it is spent, for good, until its key is replaced. What was opened is kept in a file: it needs no other part.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '#gateway/state/private-files';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';

const FILE = 'break-glass.json';
/** By fingerprint: epoch milliseconds at which the account with that key closes; 0 once it was seen to be closed. */
const shape: z.ZodType<Readonly<Record<string, number>>> = z.record(z.string(), z.int());

export type Seal = 'sealed' | 'open' | 'spent';

/** What was opened cannot be told. */
class BreakGlassFileError extends Error {
  readonly code = 'break-glass-file';
  constructor(path: string, cause: unknown) {
    super(
      `${path} is damaged: which accounts for emergencies are spent cannot be told. Restore it; or replace the keys of all of them, and remove it`,
      { cause },
    );
  }
}

export interface BreakGlassOptions {
  /** Directory of this gateway's own, of which all its workers see the same. */
  readonly state: string;
  /** Milliseconds for which an account stays open. */
  readonly lasts: number;
  readonly recorder: Recorder;
  /** Until when this gateway has run before, by its record; epoch milliseconds. */
  readonly ranUntil: number;
  readonly now: () => number;
}

export class BreakGlass {
  readonly #options: BreakGlassOptions;
  readonly #path: string;
  readonly #opening = new Set<string>();

  constructor(options: BreakGlassOptions) {
    this.#options = options;
    this.#path = join(options.state, FILE);
    this.#close();
  }

  /** What has ended stays so when the clock was set back since, and nothing is open for longer from now than it may be. */
  #close(): void {
    const { ranUntil, lasts, now } = this.#options;
    const before = this.#read();
    const closed = Object.entries(before).map(([fingerprint, closes]) => {
      const spent = closes <= Math.max(now(), ranUntil);
      return [fingerprint, spent ? 0 : Math.min(closes, now() + lasts)] as const;
    });
    if (closed.some(([fingerprint, closes]) => before[fingerprint] !== closes))
      writeWhole(this.#path, JSON.stringify(Object.fromEntries(closed)));
  }

  /** Another worker may have written it since. Throws BreakGlassFileError. */
  #read(): Readonly<Record<string, number>> {
    if (!existsSync(this.#path)) return {};
    try {
      return shape.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch (cause) {
      throw new BreakGlassFileError(this.#path, cause);
    }
  }

  sealOf(fingerprint: string): Seal {
    const closes = this.#read()[fingerprint];
    if (closes === undefined) return 'sealed';
    return this.#options.now() < closes ? 'open' : 'spent';
  }

  /**
   * Opens a sealed account; answers when it closes, epoch milliseconds. Undefined while somebody else opens it. Rejects
   * if that cannot be recorded.
   */
  async open(by: Actor, fingerprint: string, reason: string): Promise<number | undefined> {
    if (this.#opening.has(fingerprint) || this.sealOf(fingerprint) !== 'sealed') return undefined;
    this.#opening.add(fingerprint);
    try {
      return await this.#open(by, fingerprint, reason);
    } finally {
      this.#opening.delete(fingerprint);
    }
  }

  async #open(by: Actor, fingerprint: string, reason: string): Promise<number> {
    const { lasts, recorder, now } = this.#options;
    const until = now() + lasts;
    await recorder.record(
      { kind: 'break-glass-opened', account: by.id, reason, until, by },
      { durable: true },
    );
    writeWhole(this.#path, JSON.stringify({ ...this.#read(), [fingerprint]: until }));
    return until;
  }
}
