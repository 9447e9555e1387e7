// One sign-in from the first redirect to the session: which provider, which browser, where to go afterwards.
import type { Destination, PendingLogin, Store } from '#gateway/state/store';
import { ClaimsError, loginOf, subjectOf } from './claims.ts';
import { hashSecret } from './cookies.ts';
import type { LiveSession } from './live-session.ts';
import { LoginError, type Provider } from './providers.ts';
import type { Sessions } from './sessions.ts';

/** A person has this long to sign in at the provider, in milliseconds. */
const PENDING_LIFE = 10 * 60_000;
const MAX_PARAMETER = 2048;
/** Longer names of a provider's session are not kept: it then ends a person's sessions, not one. */
const MAX_SID = 256;

export interface Begin {
  readonly provider: string;
  /** The value of a browser cookie. */
  readonly browser: string;
  readonly destination?: Destination;
  readonly maxAge?: number;
}

export class SignIn {
  readonly #providers: ReadonlyMap<string, Provider>;
  readonly #store: Store;
  readonly #sessions: Sessions;
  readonly #now: () => number;

  constructor(providers: ReadonlyMap<string, Provider>, store: Store, sessions: Sessions, now: () => number) {
    this.#providers = providers;
    this.#store = store;
    this.#sessions = sessions;
    this.#now = now;
  }

  /** The provider's URL to send the browser to. Throws LoginError. */
  async begin(wish: Begin): Promise<string> {
    const provider = this.#provider(wish.provider);
    const { url, state, nonce, verifier } = await provider.begin(wish.maxAge);
    const pending: PendingLogin = {
      provider: wish.provider,
      verifier,
      nonce,
      browser: hashSecret(wish.browser),
      ...(wish.destination === undefined ? {} : { destination: wish.destination }),
      ...(wish.maxAge === undefined ? {} : { maxAge: wish.maxAge }),
    };
    await this.#store.put('login', hashSecret(state), pending, this.#now() + PENDING_LIFE);
    return url.href;
  }

  /**
   * Completes a sign-in from the provider's callback. The state is burnt on first touch, whatever follows.
   * `previous` is the session this browser had: it ends, so that its cookies open nothing any more.
   */
  async finish(
    providerId: string,
    callback: URL,
    browsers: readonly string[],
    clientAddress: string,
    previous: LiveSession | undefined,
  ): Promise<{ session: LiveSession; destination?: Destination }> {
    const provider = this.#provider(providerId);
    const state = single(callback, 'state');
    const pending = await this.#store.take('login', hashSecret(state));
    if (pending === undefined || pending.provider !== providerId) {
      throw new LoginError(
        'state-unknown',
        400,
        'This sign-in was already finished, or took too long. Start again.',
      );
    }
    if (!browsers.some((browser) => pending.browser === hashSecret(browser))) {
      throw new LoginError(
        'other-browser',
        400,
        'This sign-in was begun in another browser. Start again here.',
      );
    }
    const { nonce, verifier, maxAge } = pending;
    const claims = await provider.finish(callback, {
      state,
      nonce,
      verifier,
      ...(maxAge === undefined ? {} : { maxAge }),
    });
    const { subject, login } = this.#identity(claims, provider);
    const sid =
      typeof claims['sid'] === 'string' && claims['sid'].length <= MAX_SID ? claims['sid'] : undefined;
    const session = await this.#sessions.start(subject, login, clientAddress, sid);
    if (previous !== undefined) await this.#sessions.end(previous.id, 'superseded');
    return { session, ...(pending.destination === undefined ? {} : { destination: pending.destination }) };
  }

  #identity(
    claims: Parameters<typeof subjectOf>[0],
    provider: Provider,
  ): Pick<LiveSession, 'subject' | 'login'> {
    try {
      return {
        subject: subjectOf(claims, provider.config),
        login: loginOf(claims, provider.config, this.#now()),
      };
    } catch (error) {
      if (!(error instanceof ClaimsError)) throw error;
      const message = `Your identity provider's statement cannot be used: ${error.message}.`;
      throw new LoginError(error.code, 403, message, { cause: error });
    }
  }

  #provider(id: string): Provider {
    const provider = this.#providers.get(id);
    if (provider === undefined)
      throw new LoginError('state-unknown', 400, 'There is no such identity provider.');
    return provider;
  }
}

/** A callback parameter that must be there exactly once and be of a sane size. */
function single(callback: URL, name: string): string {
  const [value, ...more] = callback.searchParams.getAll(name);
  if (value === undefined || value === '' || value.length > MAX_PARAMETER || more.length > 0) {
    throw new LoginError('state-unknown', 400, 'This is not an answer to a sign-in of ours. Start again.');
  }
  return value;
}
