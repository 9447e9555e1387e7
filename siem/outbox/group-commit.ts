// Shares one fdatasync among everybody who wrote before it began. It must never answer for bytes written after.

export class GroupCommit {
  readonly #sync: () => Promise<void>;
  readonly #everyMs: number;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `sync` makes everything written so far durable, or rejects. */
  constructor(sync: () => Promise<void>, everyMs: number) {
    this.#sync = sync;
    this.#everyMs = everyMs;
  }

  /** Something was written: it is committed within `everyMs`, together with what else comes. */
  mark(): void {
    this.#timer ??= setTimeout(() => void this.commit().catch(() => undefined), this.#everyMs);
  }

  /** Answers when everything written before this call is durable; rejects if that failed. */
  commit(): Promise<void> {
    this.#next ??= this.#after(this.#running);
    return this.#next;
  }

  async #after(running: Promise<void> | undefined): Promise<void> {
    // A failure of the one before belongs to those who waited for it.
    await running?.catch(() => undefined);
    const own = this.#next;
    this.#running = own;
    this.#next = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      await this.#sync();
    } finally {
      if (this.#running === own) this.#running = undefined;
    }
  }
}
