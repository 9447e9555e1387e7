// The word passed on once more (RFC 8693): reads the assertion a service was sent, and makes the token with which that
// service asks another app in the person's name. A token only ever says less than the assertion it was made from, and
// is no assertion itself: its type and audience are its own.
import type { KeyObject } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { type Actor, ASSERTION_TYPE } from './assertion.ts';
import { encode, signed } from './jws.ts';
import type { KeyRing } from './key-ring.ts';

const TYPE = 'sallyport-delegation+jwt';
/** Seconds a token is valid. */
const LIFE = 60;
/** Seconds by which the clock of the gateway that signed may be ahead of ours. */
const TOLERANCE = 60;
/** Actors in one chain: each service, and the gateway before it. */
const MAX_ACTORS = 8;
const MAX_TOKEN = 16_384;
const EXPIRED = 'it has expired';

export type DelegationFailure =
  | 'delegation-malformed'
  | 'delegation-signature'
  | 'delegation-type'
  | 'delegation-issuer'
  | 'delegation-audience'
  | 'delegation-expired'
  | 'delegation-claims'
  | 'delegation-loop'
  | 'delegation-too-long'
  | 'delegation-service'
  | 'delegation-key'
  | 'delegation-scope'
  | 'delegation-session';

/** `message` is fit for the service that showed the token, and never holds it. */
export class DelegationError extends Error {
  readonly code: DelegationFailure;
  constructor(code: DelegationFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The key of the service that a token is bound to: its client certificate, or the key of its DPoP proofs. */
export type Confirmation = { readonly 'x5t#S256': string } | { readonly jkt: string };

/** What goes along from hop to hop. */
export interface Passed {
  /** The person, and the handle of their session. */
  readonly sub: string;
  readonly sid: string;
  readonly txn: string;
  /** Through whom it came, the last one first. */
  readonly act: Actor;
  /** Methods; undefined for those that policy allows. */
  readonly scope?: readonly string[] | undefined;
  /** Where the person's own connection came from. */
  readonly address: string;
  /**
   * The device that was known of the person: its id, the thumbprint of its key, the boot in which it was shown, and until
   * when that counts, in seconds since the epoch.
   */
  readonly device?:
    | { readonly id: string; readonly key: string; readonly boot?: string; readonly until?: number }
    | undefined;
}

/** What an assertion says to the service that exchanges it. */
export interface Asserted extends Passed {
  /** The app it was made for. */
  readonly app: string;
}

/** What a token says to the gateway. */
export interface Delegated extends Passed {
  /** The one app it is for. */
  readonly app: string;
  readonly cnf: Confirmation;
  /** W3C trace id of the exchange. */
  readonly trace: string;
}

export class Delegations {
  readonly #ring: KeyRing;
  readonly #issuer: string;
  readonly #now: () => number;

  constructor(ring: KeyRing, issuer: string, now: () => number) {
    this.#ring = ring;
    this.#issuer = issuer;
    this.#now = now;
  }

  /** What an assertion of ours says, whatever connection it is bound to: its app has checked that. @throws {DelegationError} */
  async asserted(token: string): Promise<Asserted> {
    const payload = await this.#verified(token, ASSERTION_TYPE, undefined);
    if (typeof payload.aud !== 'string') throw claims('aud');
    return { ...passed(payload), app: payload.aud };
  }

  /** `notAfter`: epoch milliseconds at which the service's own proof ends. */
  issue(delegated: Delegated, notAfter: number): { readonly token: string; readonly expiresIn: number } {
    const { app, scope, address, ...rest } = delegated;
    const { kid, key } = this.#ring.signing;
    const iat = Math.floor(this.#now() / 1000);
    const exp = Math.min(iat + LIFE, Math.floor(notAfter / 1000));
    const words = scope === undefined ? {} : { scope: scope.join(' ') };
    const whole = { iss: this.#issuer, aud: this.#audience(app), ...rest, ...words, network: { address } };
    const jti = crypto.randomUUID();
    const header = encode({ alg: 'ES256', typ: TYPE, kid });
    const token = signed(header, { ...whole, iat, nbf: iat, exp, jti }, key);
    return { token, expiresIn: exp - iat };
  }

  /** What a token of ours says, to be used at `app`. Whether it is its holder's is still to be checked. @throws {DelegationError} */
  async delegated(token: string, app: string): Promise<Delegated> {
    const payload = await this.#verified(token, TYPE, this.#audience(app));
    const { cnf, trace } = payload;
    if (typeof trace !== 'string' || !isConfirmation(cnf)) throw claims('cnf');
    return { ...passed(payload), app, cnf, trace };
  }

  /** Not the app's id: an app that looks at the audience alone must not take a token for an assertion. */
  #audience(app: string): string {
    return `${this.#issuer}/apps/${app}`;
  }

  async #verified(token: string, typ: string, audience: string | undefined): Promise<JWTPayload> {
    if (token.length > MAX_TOKEN) throw new DelegationError('delegation-malformed', 'it is too long');
    const { payload } = await jwtVerify(token, ({ kid }) => this.#key(kid), {
      issuer: this.#issuer,
      ...(audience === undefined ? {} : { audience }),
      typ,
      algorithms: ['ES256'],
      currentDate: new Date(this.#now()),
      clockTolerance: TOLERANCE,
      requiredClaims: ['aud', 'sub', 'sid', 'txn', 'exp', 'act'],
    }).catch((error: unknown) => {
      throw translated(error);
    });
    // The tolerance is for what is signed by a clock ahead of ours; nothing lives longer for it.
    if ((payload.exp ?? 0) * 1000 <= this.#now()) throw new DelegationError('delegation-expired', EXPIRED);
    return payload;
  }

  #key(kid: string | undefined): KeyObject {
    const key = this.#ring.published(kid ?? '');
    if (key === undefined) throw new DelegationError('delegation-signature', 'it is signed with another key');
    return key;
  }
}

/** The chain with one more service in front. @throws {DelegationError} for one that is in it already, or one too many. */
export function chained(service: string, act: Actor): Actor {
  const actors = actorsOf(act);
  if (actors.includes(service)) {
    throw new DelegationError('delegation-loop', `${service} has passed this on already`);
  }
  if (actors.length >= MAX_ACTORS) {
    throw new DelegationError('delegation-too-long', 'it has been passed on too often');
  }
  return { sub: service, act };
}

/** Subjects of a chain, the last actor first. */
export function actorsOf(act: Actor | undefined): string[] {
  return act === undefined ? [] : [act.sub, ...actorsOf(act.act)];
}

function passed(payload: JWTPayload): Passed {
  const { sub, sid, txn, act, scope, network, device } = payload;
  if (typeof sub !== 'string' || typeof sid !== 'string' || typeof txn !== 'string') throw claims('sub');
  if (scope !== undefined && typeof scope !== 'string') throw claims('scope');
  const { address } = (network ?? {}) as { readonly address?: unknown };
  if (typeof address !== 'string') throw claims('network');
  const { id, key, boot, until } = (device ?? {}) as Partial<NonNullable<Passed['device']>>;
  return {
    ...{ sub, sid, txn, act: act as Actor, address },
    ...(scope === undefined ? {} : { scope: scope.split(' ') }),
    ...(id === undefined || key === undefined
      ? {}
      : {
          device: {
            ...{ id, key },
            ...(boot === undefined ? {} : { boot }),
            ...(until === undefined ? {} : { until }),
          },
        }),
  };
}

function isConfirmation(cnf: unknown): cnf is Confirmation {
  const { 'x5t#S256': certificate, jkt } = (cnf ?? {}) as Record<string, unknown>;
  return typeof certificate === 'string' || typeof jkt === 'string';
}

function claims(name: string): DelegationError {
  return new DelegationError('delegation-claims', `its claim ${name} is missing or not good`);
}

function translated(error: unknown): unknown {
  const failed = (code: DelegationFailure, message: string): DelegationError =>
    new DelegationError(code, message, { cause: error });
  if (error instanceof errors.JWTExpired) return failed('delegation-expired', EXPIRED);
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return failed('delegation-audience', 'it is for another app');
    if (error.claim === 'iss') return failed('delegation-issuer', 'it is of another issuer');
    if (error.claim === 'typ') return failed('delegation-type', 'it is a token of another kind');
    return failed('delegation-claims', `its claim ${error.claim} is missing or not good`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return failed('delegation-signature', 'its signature does not fit');
  }
  return error instanceof errors.JOSEError
    ? failed('delegation-malformed', 'it is no signed token (JWT)')
    : error;
}
