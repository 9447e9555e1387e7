// The keys an identity provider signs with. An unknown key is looked for at once, so that a provider may change its
// keys without a failed sign-in, but not more than once in half a minute, so that nobody can make us ask for ever.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';

/** Milliseconds after which keys are asked for anew, so that a withdrawn one is not believed for longer. */
const MAX_AGE = 5 * 60_000;
/** At least this long lies between two looks for unknown keys, in milliseconds. */
const PAUSE = 30_000;
/** A look that failed counts for this long, in milliseconds: while a provider is away, each forged token would be another. */
const RETRY = 1_000;

export class ProviderKeys {
  readonly #load: () => Promise<JSONWebKeySet>;
  readonly #now: () => number;
  #loading: Promise<JWTVerifyGetKey> | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(load: () => Promise<JSONWebKeySet>, now: () => number) {
    this.#load = load;
    this.#now = now;
  }

  /** For jose. Throws its JWKSNoMatchingKey, or what loading threw. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#now() - this.#loadedAt > MAX_AGE) this.#loading = undefined;
    try {
      return await (await this.#keys())(header, token);
    } catch (error) {
      const unknown = error instanceof errors.JWKSNoMatchingKey;
      if (!unknown || this.#now() - this.#lookedAt < PAUSE) throw error;
      this.#lookedAt = this.#now();
      return (await this.#look())(header, token);
    }
  };

  /** For newer keys; while there are none to be had, those that are known stay good for their time. */
  #look(): Promise<JWTVerifyGetKey> {
    const [known, knownAt] = [this.#loading, this.#loadedAt];
    this.#loading = undefined;
    const newer = this.#keys();
    newer.catch(() => {
      this.#loading = known;
      this.#loadedAt = knownAt;
    });
    return newer;
  }

  #keys(): Promise<JWTVerifyGetKey> {
    if (this.#loading === undefined) {
      const loading = this.#load().then((keys) => createLocalJWKSet(keys));
      this.#loading = loading;
      this.#loadedAt = this.#now();
      loading.catch(() => {
        if (this.#loading === loading) this.#loadedAt = this.#now() - MAX_AGE + RETRY;
      });
    }
    return this.#loading;
  }
}
