// A provider's published keys, kept between sign-ins. A key that is new is looked up at once, so that rotation fails
// nobody's sign-in; but a name nobody knows costs the provider one request in half a minute, however often it comes.
import * as oidc from 'openid-client';

/** Milliseconds after which keys are fetched anew, so that a withdrawn one is not believed for longer. */
const LIFE = 300_000;
/** Milliseconds between two look-ups of names that were not among the keys. */
const LOOK_UP_INTERVAL = 30_000;
/** Seconds after which the library looks an unknown name up: the age it is told says whether it may. */
const LIBRARY_PATIENCE = 60;

export class ProviderKeys {
  readonly #now: () => number;
  #jwks: oidc.ExportedJWKSCache['jwks'] | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #lookedUpAt = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Runs one exchange with the keys that are known, and keeps those it fetched. */
  async during<T>(configuration: oidc.Configuration, exchange: () => Promise<T>): Promise<T> {
    const now = this.#now();
    const mayLookUp = now - this.#lookedUpAt >= LOOK_UP_INTERVAL;
    const known = now - this.#fetchedAt < LIFE ? this.#jwks : undefined;
    const uat = Math.floor(Date.now() / 1000) - (mayLookUp ? LIBRARY_PATIENCE : 0);
    if (known !== undefined) oidc.setJwksCache(configuration, { jwks: known, uat });
    try {
      return await exchange();
    } finally {
      const after = oidc.getJwksCache(configuration);
      const fetched = after !== undefined && (known === undefined || after.uat !== uat);
      if (fetched) {
        this.#jwks = after.jwks;
        this.#fetchedAt = now;
        if (known !== undefined) this.#lookedUpAt = now;
      }
    }
  }
}
