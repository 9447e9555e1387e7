// For back ends: checks the assertion a gateway sent with a request. Exported as `sallyport/verify`; it needs jose and
// nothing else of this package.
import { X509Certificate } from 'node:crypto';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose';

/** The header that carries it, as Node names it. */
export const ASSERTION_HEADER = 'x-sallyport-assertion';
const TYPE = 'sallyport-assertion+jwt';
/** An assertion is about 1 KB; what is longer is not looked at. */
const MAX_LENGTH = 16_384;
/** No assertion lives longer than this, in seconds. */
const MAX_LIFE = 60;

/** Why an assertion is not good. Codes are stable. */
export type AssertionFailure =
  | 'missing'
  | 'malformed'
  | 'type-other'
  | 'algorithm-other'
  | 'key-unknown'
  | 'keys-unreachable'
  | 'signature-invalid'
  | 'issuer-other'
  | 'audience-other'
  | 'expired'
  | 'not-yet-valid'
  | 'claim-invalid'
  | 'certificate-missing'
  | 'certificate-other'
  | 'certificate-unbound'
  | 'request-missing'
  | 'request-other';

/** Never holds the assertion. `message` says what to look at. */
export class AssertionError extends Error {
  readonly code: AssertionFailure;
  constructor(code: AssertionFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AssertionError';
    this.code = code;
  }
}

/** Through whom the request came, the last one first (RFC 8693 section 4.1). */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** What a gateway says. Times are epoch seconds. */
export interface AssertionClaims extends JWTPayload {
  readonly sub: string;
  readonly jti: string;
  readonly txn: string;
  readonly sid: string;
  readonly name?: string;
  readonly email?: string;
  readonly groups?: readonly string[];
  readonly roles?: readonly string[];
  readonly auth_time?: number;
  readonly amr?: readonly string[];
  readonly acr?: string;
  readonly act?: Actor;
  readonly device?: {
    readonly id: string;
    readonly key?: string;
    /** Another one after each restart. */
    readonly boot?: string;
    /** Until when the subject has shown to be on it, seconds since the epoch. */
    readonly until?: number;
    readonly posture: Readonly<Record<string, unknown>>;
  };
  /** Where the subject's own connection comes from. */
  readonly network?: { readonly address: string };
  /** Methods, separated by spaces, to which the services that pass the name on are limited. */
  readonly scope?: string;
  readonly risk?: number;
  readonly policy?: { readonly rev: string; readonly decision?: string };
  /** RFC 8705: only over a connection with this client certificate. */
  readonly cnf?: { readonly 'x5t#S256': string };
  /** RFC 9449: only for this method and address. */
  readonly htm?: string;
  readonly htu?: string;
}

export interface VerifierOptions {
  /** The portal's origin, `https://access.example.com`. */
  readonly issuer: string;
  /** The app's id at the gateway; several for a back end that is several apps. */
  readonly audience: string | readonly string[];
  /** The key set, or where it is; `<issuer>/.well-known/jwks.json` if left out. */
  readonly keys?: URL | JSONWebKeySet;
  /** Gets the key set; for private authorities. The global one if left out. */
  readonly fetch?: FetchImplementation;
  /** True refuses what is not bound to the client certificate of the connection, and so good on any other one. */
  readonly requireCertificate?: boolean;
  /** Seconds by which clocks may differ; 5 if left out. */
  readonly tolerance?: number;
  /** Epoch milliseconds; the machine's clock if left out. */
  readonly now?: () => number;
}

/** What the back end saw of the request. What an assertion is bound to must be given. */
export interface Seen {
  /** The client certificate of the connection: PEM, DER or parsed. */
  readonly certificate?: X509Certificate | string | Uint8Array | undefined;
  readonly method?: string | undefined;
  /** Absolute, as the person's browser has it; a query does not count. */
  readonly url?: string | undefined;
}

/** Rejects with an AssertionError. */
export type Verify = (token: string | undefined, seen?: Seen) => Promise<AssertionClaims>;

/** Makes the check of one back end; keys are got when needed, kept, and looked for anew when an unknown one signs. */
export function createVerifier(options: VerifierOptions): Verify {
  const { issuer, audience, requireCertificate = false, tolerance = 5, now = Date.now } = options;
  const keys = keySource(options);
  return async (token, seen = {}) => {
    if (token === undefined || token === '') {
      throw new AssertionError('missing', `there is no assertion: expected one in ${ASSERTION_HEADER}`);
    }
    if (token.length > MAX_LENGTH) {
      throw new AssertionError('malformed', `this is over ${MAX_LENGTH} characters, which no assertion is`);
    }
    const { payload } = await jwtVerify<AssertionClaims>(token, keys, {
      issuer,
      audience: typeof audience === 'string' ? audience : [...audience],
      typ: TYPE,
      algorithms: ['ES256'],
      clockTolerance: tolerance,
      currentDate: new Date(now()),
      requiredClaims: ['sub', 'iat', 'exp', 'jti', 'sid', 'txn'],
    }).catch((error: unknown) => {
      throw translated(error, options);
    });
    checkLife(payload);
    if (requireCertificate && payload.cnf === undefined) {
      throw new AssertionError(
        'certificate-unbound',
        'it is bound to no client certificate: does the connector show this app one?',
      );
    }
    checkCertificate(payload, seen);
    checkRequest(payload, seen);
    return payload;
  };
}

function keySource({ issuer, keys, fetch }: VerifierOptions): ReturnType<typeof createRemoteJWKSet> {
  if (keys !== undefined && !(keys instanceof URL)) return createLocalJWKSet(keys) as never;
  const url = keys ?? new URL('/.well-known/jwks.json', issuer);
  return createRemoteJWKSet(url, fetch === undefined ? {} : { [customFetch]: fetch });
}

function checkLife({ iat = 0, exp = 0 }: AssertionClaims): void {
  if (exp - iat > MAX_LIFE) {
    throw new AssertionError('claim-invalid', `it lives ${exp - iat} s, and no assertion over ${MAX_LIFE} s`);
  }
}

function checkCertificate({ cnf }: AssertionClaims, { certificate }: Seen): void {
  if (cnf === undefined) return;
  const bound: unknown = cnf?.['x5t#S256'];
  if (typeof bound !== 'string') {
    throw new AssertionError('claim-invalid', 'it is bound by something else than a certificate');
  }
  if (certificate === undefined) {
    throw new AssertionError(
      'certificate-missing',
      'it is bound to a client certificate, and the connection showed none',
    );
  }
  if (thumbprintOf(certificate) !== bound) {
    throw new AssertionError(
      'certificate-other',
      'it is bound to another client certificate than the connection’s',
    );
  }
}

/** RFC 8705 section 3.1. Throws AssertionError for what is no certificate. */
function thumbprintOf(certificate: X509Certificate | string | Uint8Array): string {
  try {
    const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
    return Buffer.from(parsed.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  } catch (cause) {
    throw new AssertionError('certificate-missing', 'the client certificate cannot be read', { cause });
  }
}

function checkRequest({ htm, htu }: AssertionClaims, { method, url }: Seen): void {
  if (htm === undefined && htu === undefined) return;
  if (method === undefined || url === undefined) {
    throw new AssertionError(
      'request-missing',
      'it is bound to one request: method and address must be given',
    );
  }
  if (htm !== method.toUpperCase() || htu !== url.split(/[?#]/, 1)[0]) {
    throw new AssertionError('request-other', `it is for ${htm} ${htu}`);
  }
}

const BY_CLAIM: Readonly<Record<string, AssertionFailure>> = {
  iss: 'issuer-other',
  aud: 'audience-other',
  nbf: 'not-yet-valid',
  typ: 'type-other',
};

function translated(error: unknown, { issuer, audience, keys }: VerifierOptions): AssertionError {
  const failed = (code: AssertionFailure, message: string): AssertionError =>
    new AssertionError(code, message, { cause: error });
  const source =
    keys instanceof URL ? keys.href : keys === undefined ? `${issuer}/.well-known/jwks.json` : 'these keys';
  if (error instanceof errors.JWTExpired) {
    return failed('expired', 'it has expired; compare the clocks if that keeps happening');
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    const code = BY_CLAIM[error.claim] ?? 'claim-invalid';
    const said = JSON.stringify(error.payload[error.claim]);
    if (code === 'issuer-other') return failed(code, `it is from ${said}, not from ${issuer}`);
    if (code === 'audience-other') return failed(code, `it is for ${said}, not for ${String(audience)}`);
    if (code === 'type-other') return failed(code, `it is a token of another kind: its typ is not ${TYPE}`);
    return failed(code, `its claim ${error.claim} is not good: ${error.reason}`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return failed(
      'signature-invalid',
      'its signature does not fit: it was changed, or made by somebody else',
    );
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return failed('key-unknown', `it is signed with a key that is not in ${source}`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return failed('algorithm-other', 'it is not signed with ES256, the one algorithm gateways use');
  }
  if (error instanceof errors.JOSENotSupported) {
    return failed('malformed', 'it has critical extensions, which no assertion has');
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return failed('malformed', 'this is not a signed token; give the header’s value whole');
  }
  return failed('keys-unreachable', `the keys at ${source} could not be got: ${(error as Error).message}`);
}
