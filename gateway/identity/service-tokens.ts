// Who a service is by its token: a Kubernetes service account, a JWT-SVID, a CI job. Each issuer speaks for subjects
// below its own name only, or for one SPIFFE trust domain, so that none can speak for another's.
import { createHash } from 'node:crypto';
import {
  decodeJwt,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
  jwtVerify,
  type ResolvedKey,
} from 'jose';
import { claimOf } from './claim.ts';
import { spiffeId } from './svid.ts';
import { GRACE, type Reviewed, type TokenReviews } from './token-review.ts';

const MAX_TOKEN = 8192;
const MAX_SUBJECT = 300;
/** Seconds by which an issuer's clock may be ahead of ours. */
const TOLERANCE = 5;

export interface TokenIssuer {
  /** Prefix of its subjects: `ci:acme/shop`. */
  readonly name: string;
  /** `iss`, exactly. */
  readonly issuer: string;
  /** At least one of these is the token's audience. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  /** Claims, by name or JSON Pointer, and the value each must have. */
  readonly require: Readonly<Record<string, string>>;
  /** `{claim}` stands for a claim by name or JSON Pointer. */
  readonly subject: string;
  /** Tokens made for longer are refused, in milliseconds. */
  readonly maxLife: number;
  /** Its subjects are SPIFFE ids of this trust domain (JWT-SVID) and bear no prefix. */
  readonly trustDomain?: string | undefined;
  readonly keys: JWTVerifyGetKey;
  /** Asks the issuer's cluster, too. */
  readonly reviews?: TokenReviews | undefined;
}

export type ServiceTokenFailure =
  | 'token-missing'
  | 'token-malformed'
  | 'token-issuer'
  | 'token-signature'
  | 'token-key'
  | 'token-audience'
  | 'token-time'
  | 'token-life'
  | 'token-claims'
  | 'token-subject'
  | 'token-review-refused'
  | 'token-review-other'
  | 'token-review-unavailable';

/** `message` is fit for whoever sent the token, and never holds it. */
export class ServiceTokenError extends Error {
  readonly code: ServiceTokenFailure;
  constructor(code: ServiceTokenFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface TokenIdentity {
  readonly subject: string;
  readonly issuer: string;
  /** Names the token in events without giving it away. */
  readonly fingerprint: string;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Whether it would still be taken: by its issuer's keys as they are now, and by its cluster where that is asked. */
  readonly stands: () => Promise<boolean>;
}

/** Not the token's fault: the same one may be good later. */
export function isPassing(code: string): boolean {
  return code === 'token-review-unavailable';
}

const REVIEWED: Readonly<Record<Exclude<Reviewed, 'accepted'>, readonly [ServiceTokenFailure, string]>> = {
  refused: ['token-review-refused', 'its cluster no longer accepts it: its pod or account may be gone'],
  other: ['token-review-other', 'its cluster takes it for another’s, or for another audience'],
  unavailable: ['token-review-unavailable', 'its cluster cannot be asked about it at the moment'],
};

export class ServiceTokens {
  readonly #issuers: ReadonlyMap<string, TokenIssuer>;
  readonly #now: () => number;

  constructor(issuers: readonly TokenIssuer[], now: () => number) {
    this.#issuers = new Map(issuers.map((one) => [one.issuer, one]));
    this.#now = now;
  }

  /** Throws ServiceTokenError, or what getting the issuer's keys threw. */
  async verify(token: string): Promise<TokenIdentity> {
    const issuer = this.#issuers.get(issuerOf(token));
    if (issuer === undefined) throw new ServiceTokenError('token-issuer', 'its issuer is not trusted here');
    const verified = await this.#verified(token, issuer);
    const { payload } = verified;
    const { iat = 0, exp = 0 } = payload;
    if (exp * 1000 <= this.#now()) throw new ServiceTokenError('token-time', 'it has expired');
    if (iat > this.#now() / 1000 + TOLERANCE)
      throw new ServiceTokenError('token-time', 'it is from the future');
    if ((exp - iat) * 1000 > issuer.maxLife) {
      const most = issuer.maxLife / 1000;
      throw new ServiceTokenError(
        'token-life',
        `it lives ${exp - iat} s, and tokens of its issuer ${most} s here`,
      );
    }
    checkClaims(payload, issuer);
    const subject = subjectOf(payload, issuer);
    const fingerprint = createHash('sha256').update(token).digest('hex');
    const { reviews, audiences } = issuer;
    const asked = { token, fingerprint, claims: payload, audiences };
    const reviewed = await reviews?.review(asked);
    if (reviewed !== undefined && reviewed !== 'accepted') throw new ServiceTokenError(...REVIEWED[reviewed]);
    return {
      ...{ subject, issuer: issuer.name, fingerprint, notBefore: iat * 1000, notAfter: exp * 1000 },
      stands: this.#follow(token, issuer, verified, reviews?.follow(asked)),
    };
  }

  async #verified(token: string, issuer: TokenIssuer): Promise<Verified> {
    const wanted = {
      issuer: issuer.issuer,
      audience: [...issuer.audiences],
      algorithms: [...issuer.algorithms],
      requiredClaims: ['exp', 'iat', 'sub'],
      clockTolerance: TOLERANCE,
      currentDate: new Date(this.#now()),
    };
    return jwtVerify(token, issuer.keys, wanted).catch((error: unknown) => {
      throw translated(error);
    });
  }

  /** For what stays open after the token was accepted. While its issuer's keys cannot be got, those before stay for a while. */
  #follow(
    token: string,
    issuer: TokenIssuer,
    { key, protectedHeader }: Verified,
    accepted: (() => boolean) | undefined,
  ): () => Promise<boolean> {
    let known = key;
    let good = this.#now();
    return async () => {
      const at = this.#now();
      try {
        // The same key says the same of the signature, however many are open.
        const found = await issuer.keys(protectedHeader, UNUSED);
        if (found !== known) known = (await this.#verified(token, issuer)).key;
        good = at;
      } catch (error) {
        if (translated(error) instanceof ServiceTokenError || at - good >= GRACE) return false;
      }
      return accepted?.() !== false;
    };
  }
}

type Verified = JWTVerifyResult & ResolvedKey;
/** A key is found by the header alone. */
const UNUSED = { payload: '', signature: '' };

/** Says only whose keys to ask; nothing is believed yet. */
function issuerOf(token: string): string {
  if (token.length > MAX_TOKEN)
    throw new ServiceTokenError('token-malformed', `it is over ${MAX_TOKEN} bytes`);
  try {
    return String(decodeJwt(token).iss);
  } catch (cause) {
    throw new ServiceTokenError('token-malformed', 'it is no signed token (JWT)', { cause });
  }
}

function checkClaims(payload: JWTPayload, { require }: TokenIssuer): void {
  for (const [name, wanted] of Object.entries(require)) {
    if (claimOf(payload, name) !== wanted) {
      throw new ServiceTokenError('token-claims', `its claim ${name} is not ${JSON.stringify(wanted)}`);
    }
  }
}

/** What may stand for a claim: nothing that could end the name or be a pattern in a policy. */
const VALUE = /^[A-Za-z0-9._:/@-]+$/;

function subjectOf(payload: JWTPayload, { name, subject, trustDomain }: TokenIssuer): string {
  const filled = subject.replaceAll(/\{([^{}]+)\}/g, (_, key: string) => {
    const value = claimOf(payload, key) ?? '';
    if (!VALUE.test(value)) {
      throw new ServiceTokenError('token-subject', `its claim ${key} is missing or cannot be part of a name`);
    }
    return value;
  });
  if (filled.length > MAX_SUBJECT) throw new ServiceTokenError('token-subject', 'its subject is too long');
  if (trustDomain === undefined) return `${name}:${filled}`;
  if (spiffeId(filled)?.trustDomain !== trustDomain) {
    throw new ServiceTokenError('token-subject', `its subject is no SPIFFE id of ${trustDomain}`);
  }
  return filled;
}

function translated(error: unknown): unknown {
  const failed = (code: ServiceTokenFailure, message: string): ServiceTokenError =>
    new ServiceTokenError(code, message, { cause: error });
  if (error instanceof errors.JWTExpired) return failed('token-time', 'it has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud') return failed('token-audience', 'it is for another audience');
    if (error.claim === 'nbf') return failed('token-time', 'it is not valid yet');
    return failed('token-claims', `its claim ${error.claim} is missing or not good`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return failed('token-signature', 'its signature does not fit');
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return failed('token-key', 'its issuer has no such key');
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return failed('token-signature', 'its algorithm is not one of its issuer’s');
  }
  // What the issuer gave for its keys is no fault of the token.
  if (error instanceof errors.JWKSInvalid) return error;
  return error instanceof errors.JOSEError ? failed('token-malformed', 'it is no signed token (JWT)') : error;
}
