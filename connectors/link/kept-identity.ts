// Keeps a renewed identity on disk. While the disk does not take it, it is used all the same, and kept when that is possible:
// a connector must not end for what only its next start needs.
import type { Log } from '../wire/log.ts';
import { type Identity, saveIdentity } from './identity.ts';

/** Milliseconds until an identity that could not be kept is tried again. */
const RETRY_AFTER = 60_000;

export class KeptIdentity {
  readonly #directory: string;
  readonly #log: Log;
  #retry: NodeJS.Timeout | undefined;
  #failed = false;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Never throws; the last identity is the one that stays. */
  keep(identity: Identity): void {
    this.stop();
    try {
      saveIdentity(this.#directory, identity);
      if (this.#failed) this.#log.info({}, 'the renewed certificate is kept now');
      this.#failed = false;
    } catch (error) {
      const why = (error as Error).message;
      if (!this.#failed)
        this.#log.error(
          { code: 'not-kept' },
          `the renewed certificate is used, but could not be kept: ${why}; it is tried again each minute`,
        );
      this.#failed = true;
      this.#retry = setTimeout(() => this.keep(identity), RETRY_AFTER).unref();
    }
  }

  stop(): void {
    clearTimeout(this.#retry);
  }
}
