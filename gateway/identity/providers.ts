// The OpenID providers people sign in with: authorization code, PKCE, state, nonce and iss, by openid-client.
import { type JSONWebKeySet, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import type { ProviderConfig } from '#gateway/config';
import { readSecret } from '#gateway/state/private-files';
import { readAuthorities } from './authorities.ts';
import type { Claims, ClaimsError } from './claims.ts';
import { type LogoutWish, readLogoutToken } from './logout-token.ts';
import { ProviderReplyError, providerFetch } from './provider-http.ts';
import { ProviderKeys } from './provider-keys.ts';

/** Why a sign-in failed: a closed vocabulary for events and pages. */
export type LoginFailure =
  | 'provider-unreachable'
  | 'provider-refused'
  | 'state-unknown'
  | 'other-browser'
  | 'token-invalid'
  | 'issuer-mismatch'
  | 'login-too-old'
  | 'login-cancelled'
  | ClaimsError['code'];

/** A sign-in that did not succeed. `message` may be shown to the person; the cause is for the log. */
export class LoginError extends Error {
  readonly code: LoginFailure;
  readonly status: 400 | 403 | 503;
  constructor(code: LoginFailure, status: LoginError['status'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

/** Seconds for one exchange with a provider. */
const TIMEOUT = 5;
/** A failed discovery is not repeated before this, in milliseconds. */
const DISCOVERY_PAUSE = 2_000;
/** Milliseconds after which a provider's metadata is read anew, and after which it is when keys are looked for. */
const METADATA_AGE = 5 * 60_000;
const METADATA_AGE_FOR_KEYS = 30_000;
/** While newer metadata is not to be had, what is known stays, and is asked for anew after so many milliseconds. */
const REREAD_PAUSE = 30_000;
/**
 * Seconds, more than any sign-in lasts. Whoever is asked for a greatest age says when the person signed in (OpenID Connect
 * Core 3.1.2.1), which many do not by themselves.
 */
const ANY_AGE = 315_360_000;
/** Seconds by which a provider's clock may differ from ours. */
const CLOCK_TOLERANCE = 30;

export interface AuthorizationRequest {
  readonly url: URL;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export class Provider {
  readonly config: ProviderConfig;
  readonly redirectUri: string;
  readonly #now: () => number;
  readonly #fetch: oidc.CustomFetch;
  readonly #keys: ProviderKeys;
  #known: { readonly configuration: oidc.Configuration; readonly at: number } | undefined;
  #reading: Promise<oidc.Configuration> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #cutOff = false;

  /** Throws what the file system says of its files, AuthoritiesError, and LooseModeError if others can read its secret. */
  constructor(config: ProviderConfig, redirectUri: string, now: () => number) {
    // Read when the provider is first asked; but that it cannot be is for whoever starts the gateway to hear.
    secretOf(config);
    this.config = config;
    this.redirectUri = redirectUri;
    this.#now = now;
    const fetch = providerFetch(config.ca === undefined ? undefined : readAuthorities(config.ca));
    this.#fetch = async (url, options) => {
      if (this.#cutOff) throw Object.assign(new Error('this is a drill'), { code: 'ECONNREFUSED' });
      return fetch(url, options);
    };
    this.#keys = new ProviderKeys(() => this.#loadKeys(), now);
  }

  /** From now on the provider cannot be reached, or can again; for drills. */
  cutOff(yes: boolean): void {
    this.#cutOff = yes;
  }

  /** The URL to send a browser to. `maxAge` in seconds asks the provider to sign the person in afresh. */
  async begin(maxAge?: number): Promise<AuthorizationRequest> {
    const configuration = await this.#configuration();
    const verifier = oidc.randomPKCECodeVerifier();
    const state = oidc.randomState();
    const nonce = oidc.randomNonce();
    const acr = this.config.mfa.acr.join(' ');
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: this.redirectUri,
      scope: this.config.scopes.join(' '),
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      max_age: String(maxAge ?? ANY_AGE),
      ...(maxAge === undefined || acr === '' ? {} : { acr_values: acr }),
    });
    return { url, state, nonce, verifier };
  }

  /** Claims of the ID token for a callback, all of OpenID Connect's checks made. Throws LoginError. */
  async finish(
    callback: URL,
    expected: { state: string; nonce: string; verifier: string; maxAge?: number },
  ): Promise<Claims> {
    const configuration = await this.#configuration();
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, callback, {
        expectedState: expected.state,
        expectedNonce: expected.nonce,
        pkceCodeVerifier: expected.verifier,
        idTokenExpected: true,
        ...(expected.maxAge === undefined ? {} : { maxAge: expected.maxAge }),
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new LoginError('token-invalid', 403, 'The provider sent no ID token.');
      // The code flow may take an ID token on TLS's word alone; we check its signature all the same.
      await jwtVerify(tokens.id_token ?? '', this.#keys.find, {
        algorithms: [this.config.signingAlgorithm],
        clockTolerance: CLOCK_TOLERANCE,
      });
      // The library asks for this only where several are addressed (OpenID Connect Core 3.1.3.7, step 5).
      if (claims.azp !== undefined && claims.azp !== this.config.clientId)
        throw new LoginError('token-invalid', 403, 'The provider made its ID token for another client.');
      // Groups and names may be in the userinfo reply only; openid-client checks that its `sub` is the same.
      const details = await this.#userInfo(configuration, tokens.access_token, claims.sub);
      return { ...details, ...claims };
    } catch (error) {
      throw asLoginError(error);
    }
  }

  /** Whose sessions the provider wishes to end. Throws LoginError if it cannot be asked for its keys. */
  async logoutToken(token: string): Promise<LogoutWish> {
    try {
      return await readLogoutToken(token, this.config, this.#keys.find, this.#now());
    } catch (error) {
      const sorted = asLoginError(error);
      throw sorted.status === 503 ? sorted : error;
    }
  }

  /** Where to send a browser to sign out at the provider too, if it offers that. */
  async endSessionUrl(returnTo: string): Promise<string | undefined> {
    try {
      const configuration = await this.#configuration();
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      return oidc.buildEndSessionUrl(configuration, { post_logout_redirect_uri: returnTo }).href;
    } catch {
      return undefined;
    }
  }

  async #userInfo(configuration: oidc.Configuration, accessToken: string, subject: string): Promise<Claims> {
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return {};
    return oidc.fetchUserInfo(configuration, accessToken, subject);
  }

  async #loadKeys(): Promise<JSONWebKeySet> {
    const uri = (await this.#configuration(METADATA_AGE_FOR_KEYS)).serverMetadata().jwks_uri;
    if (uri === undefined) throw new LoginError('token-invalid', 403, 'The provider publishes no keys.');
    const headers = { accept: 'application/json' };
    const reply = await this.#fetch(uri, { method: 'GET', headers, body: undefined, redirect: 'manual' });
    if (reply.status !== 200) throw unreachable(this.config.name, undefined);
    return (await reply.json()) as JSONWebKeySet;
  }

  /** What the provider says of itself, read at most `age` milliseconds ago, or as it was while it cannot be read. */
  async #configuration(age = METADATA_AGE): Promise<oidc.Configuration> {
    if (this.#cutOff) throw unreachable(this.config.name, undefined);
    const known = this.#known;
    if (known !== undefined && this.#now() - known.at < age) return known.configuration;
    const pause = known === undefined ? DISCOVERY_PAUSE : REREAD_PAUSE;
    let cause: unknown;
    if (this.#reading !== undefined || this.#now() - this.#failedAt >= pause) {
      try {
        this.#reading ??= this.#discover();
        return await this.#reading;
      } catch (error) {
        cause = error;
      }
    }
    if (known === undefined) throw unreachable(this.config.name, cause);
    return known.configuration;
  }

  async #discover(): Promise<oidc.Configuration> {
    try {
      const configuration = await discover(this.config, this.#fetch);
      this.#known = { configuration, at: this.#now() };
      return configuration;
    } catch (error) {
      this.#failedAt = this.#now();
      throw error;
    } finally {
      this.#reading = undefined;
    }
  }
}

function secretOf({ clientSecret }: ProviderConfig): string | undefined {
  return clientSecret === undefined ? undefined : readSecret(clientSecret.file);
}

async function discover(config: ProviderConfig, fetch: oidc.CustomFetch): Promise<oidc.Configuration> {
  const secret = secretOf(config);
  const authentication = secret === undefined ? oidc.None() : oidc.ClientSecretBasic(secret);
  const metadata = { id_token_signed_response_alg: config.signingAlgorithm };
  return oidc.discovery(new URL(config.issuer), config.clientId, metadata, authentication, {
    [oidc.customFetch]: fetch,
    timeout: TIMEOUT,
  });
}

function unreachable(name: string, cause: unknown): LoginError {
  return new LoginError(
    'provider-unreachable',
    503,
    `${name} cannot be reached at the moment. Try again shortly.`,
    {
      cause,
    },
  );
}

/** Sorts openid-client's errors by their codes; what is not recognised is an answer that did not verify. */
function asLoginError(error: unknown): LoginError {
  if (error instanceof LoginError) return error;
  if (error instanceof oidc.AuthorizationResponseError) {
    const message = 'The identity provider ended the sign-in without completing it.';
    return new LoginError('login-cancelled', 403, message, { cause: error });
  }
  if (error instanceof oidc.ResponseBodyError) {
    return new LoginError('provider-refused', 403, 'The identity provider refused the sign-in.', {
      cause: error,
    });
  }
  const causes = causesOf(error);
  if (causes.some(isTransport)) return unreachable('The identity provider', error);
  if (causes.some((cause) => cause.claim === 'iss' || /"iss"/.test(String(cause.message)))) {
    const message = 'The answer came from another identity provider than the one asked.';
    return new LoginError('issuer-mismatch', 403, message, { cause: error });
  }
  if (causes.some((cause) => cause.claim === 'auth_time' || /auth_time/.test(String(cause.message)))) {
    const message = 'The identity provider did not ask you to sign in afresh.';
    return new LoginError('login-too-old', 403, message, { cause: error });
  }
  return new LoginError('token-invalid', 403, "The identity provider's answer did not verify.", {
    cause: error,
  });
}

interface Cause {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly claim?: unknown;
  readonly cause?: unknown;
}

/** The error and what it wraps, outermost first. */
function causesOf(error: unknown): Cause[] {
  const causes: Cause[] = [];
  for (let next = error; typeof next === 'object' && next !== null && causes.length < 8; ) {
    causes.push(next);
    next = (next as Cause).cause;
  }
  return causes;
}

function isTransport(cause: Cause): boolean {
  if (cause instanceof ProviderReplyError || (cause as { name?: unknown }).name === 'TimeoutError')
    return true;
  return (
    typeof cause.code === 'string' &&
    /^(?:UND_ERR|ECONN|ENOTFOUND|EAI_|ETIMEDOUT|OAUTH_TIMEOUT)/.test(cause.code)
  );
}

/** By their ids. `origin`: the portal's. */
export function providersOf(
  configs: readonly ProviderConfig[],
  origin: string,
  now: () => number,
): Map<string, Provider> {
  return new Map(
    configs.map((config) => [config.id, new Provider(config, `${origin}/callback/${config.id}`, now)]),
  );
}
