// The enrolment token: who the connector will be, and the one authority it may believe before it trusts anything
// else. Its secret never goes anywhere but into the enrolment request.

const PREFIX = 'sallyport-enrol.';
const MAX_TOKEN = 4096;

export interface EnrolmentToken {
  /** The whole string, as the gateway wants it. */
  readonly text: string;
  readonly name: string;
  /** SHA-256 of the authority's DER, lower-case hexadecimal. */
  readonly ca: string;
  /** Epoch milliseconds. */
  readonly expires: number;
}

export type EnrolFailure =
  | 'token-malformed'
  | 'token-expired'
  | 'unreachable'
  | 'authority-mismatch'
  | 'refused'
  | 'bad-answer';

/** Why enrolment or renewal failed. The message is for the operator and holds no secret. */
export class EnrolError extends Error {
  readonly code: EnrolFailure;
  /** Trying again later may help. */
  readonly retryable: boolean;

  constructor(code: EnrolFailure, message: string, retryable = false) {
    super(message);
    this.name = 'EnrolError';
    this.code = code;
    this.retryable = retryable;
  }
}

/** What to do for a connector whose certificate is good no more. */
export function enrolAgain(name: string): string {
  return `make a token at the gateway with \`sallyport token create --connector ${name}\` and start this connector again with --token-file FILE`;
}

/** @throws {EnrolError} `token-malformed`, `token-expired`. `now`: epoch milliseconds. */
export function readToken(text: string, now: number): EnrolmentToken {
  const trimmed = text.trim();
  const malformed = new EnrolError(
    'token-malformed',
    'this is not an enrolment token. Make one with `sallyport token create` and pass the file whole.',
  );
  if (!trimmed.startsWith(PREFIX) || trimmed.length > MAX_TOKEN) throw malformed;
  let claims: Record<string, unknown>;
  try {
    claims = JSON.parse(Buffer.from(trimmed.slice(PREFIX.length), 'base64url').toString('utf8'));
  } catch {
    throw malformed;
  }
  const { v, name, ca, exp } = claims ?? {};
  if (v !== 1 || typeof name !== 'string' || typeof exp !== 'number') throw malformed;
  if (typeof ca !== 'string' || !/^[0-9a-f]{64}$/.test(ca)) throw malformed;
  if (exp * 1000 <= now) {
    const at = new Date(exp * 1000).toISOString();
    const clock = new Date(now).toISOString();
    const message = `the enrolment token expired at ${at}, and this machine’s clock says ${clock}. Ask for a new one.`;
    throw new EnrolError('token-expired', message);
  }
  return { text: trimmed, name, ca, expires: exp * 1000 };
}
