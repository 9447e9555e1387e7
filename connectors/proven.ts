// Over which certificate this machine has proved its state last, for those who wait for a proof over another one.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Identity } from './link/identity.ts';

export class Proven {
  readonly #grace: number;
  #last: Identity | undefined;
  #waiting: { readonly identity: Identity; readonly done: () => void } | undefined;

  /** `grace`: the longest anybody waits, in milliseconds. */
  constructor(grace: number) {
    this.#grace = grace;
  }

  /** There is a proof over `identity`. One over another may have been under way when that was waited for: it lets nobody go. */
  by(identity: Identity): void {
    this.#last = identity;
    if (this.#waiting?.identity === identity) this.#waiting.done();
  }

  /** Resolves when there is a proof over this certificate, or there has been time enough for one. */
  async over(identity: Identity): Promise<void> {
    if (this.#last === identity) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = { identity, done: resolve };
    await Promise.race([promise, sleep(this.#grace, undefined, { ref: false })]);
  }
}
