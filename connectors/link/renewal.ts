// Keeps the connector's certificate fresh: asks one gateway after the other for the next one, long before it runs out.

import type { Log } from '../wire/log.ts';
import { renew, renewalTime } from './enrol.ts';
import type { Identity } from './identity.ts';
import { EnrolError, enrolAgain } from './token.ts';

export interface RenewalOptions {
  readonly name: string;
  readonly identity: Identity;
  /** The gateways to ask, the likeliest first. */
  readonly gateways: () => readonly URL[];
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** A renewed identity: to be kept, and to be shown from now on. */
  onIdentity(identity: Identity): Promise<void>;
}

export class Renewal {
  readonly #options: RenewalOptions;
  #identity: Identity;
  #due: number;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#due = renewalTime(options.identity);
  }

  /** The one to show. */
  get identity(): Identity {
    return this.#identity;
  }

  /** Called each second. */
  tick(): void {
    if (this.#options.now() >= this.#due) void this.#renew();
  }

  async #renew(): Promise<void> {
    const { log, now, random, onIdentity } = this.#options;
    const before = this.#identity;
    this.#due = Number.POSITIVE_INFINITY;
    try {
      const identity = await this.#ask(before);
      this.#identity = identity;
      this.#due = renewalTime(identity);
      const until = new Date(identity.notAfter).toISOString();
      log.info({ until }, `certificate renewed; it holds until ${until}`);
      await onIdentity(identity);
    } catch (error) {
      if (!(error instanceof EnrolError)) throw error;
      const left = before.notAfter - now();
      // Often enough to get through before it runs out, and not in step with others.
      this.#due = now() + (0.5 + random()) * Math.min(3_600_000, Math.max(5000, left / 6));
      const until = new Date(before.notAfter).toISOString();
      const then =
        left > 0 ? `it holds until ${until}` : `it ran out at ${until}: ${enrolAgain(this.#options.name)}`;
      log.error({ code: error.code, until }, `certificate not renewed: ${error.message}; ${then}`);
    }
  }

  /** @throws {EnrolError} of the last gateway, when none gave one. */
  async #ask(before: Identity): Promise<Identity> {
    const { gateways } = this.#options;
    let failure = new EnrolError('unreachable', 'there is no gateway to ask', true);
    for (const gateway of gateways()) {
      try {
        return await renew(gateway, before);
      } catch (error) {
        if (!(error instanceof EnrolError)) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}
