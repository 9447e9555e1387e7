// Accounts for emergencies. Each is sealed until it is opened, which is an alert; then it may do everything for a while;
// then it is spent, for good, until its key is replaced. What was opened is kept in a file: it needs no other part.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from '#gateway/state/private-files';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';

const FILE = 'break-glass.json';
/** By fingerprint: epoch milliseconds at which the account with that key closes. */
const shape: z.ZodType<Readonly<Record<string, number>>> = z.record(z.string(), z.int());

export type Seal = 'sealed' | 'open' | 'spent';

export interface BreakGlassOptions {
  /** Directory of this gateway's own, of which all its workers see the same. */
  readonly state: string;
  /** Milliseconds for which an account stays open. */
  readonly lasts: number;
  readonly recorder: Recorder;
  readonly now: () => number;
}

export class BreakGlass {
  readonly #options: BreakGlassOptions;
  readonly #path: string;
  readonly #opening = new Set<string>();

  constructor(options: BreakGlassOptions) {
    this.#options = options;
    this.#path = join(options.state, FILE);
    this.#read();
  }

  /** Another worker may have written it since. */
  #read(): Readonly<Record<string, number>> {
    return existsSync(this.#path) ? shape.parse(JSON.parse(readFileSync(this.#path, 'utf8'))) : {};
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
