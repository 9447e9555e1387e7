// A request for a token in somebody's name (RFC 8693 section 2.1), and the words for what is wrong with one (section
// 2.2.2, RFC 6749 section 5.2). It believes nothing of what it reads.

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';
const CLIENT_ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** Each is decided, and recorded twice. */
const MAX_SCOPES = 8;

export type ExchangeErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  /** RFC 9449 section 5. */
  | 'invalid_dpop_proof';

/** `message` is fit for the client. `reason`, stable like `code`, says what of the RFC's few words is meant. */
export class ExchangeError extends Error {
  readonly code: ExchangeErrorCode;
  readonly reason: string;
  constructor(code: ExchangeErrorCode, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
  }
}

export interface ExchangeRequest {
  readonly subjectToken: string;
  /** Id of the app that is to be asked. */
  readonly audience?: string | undefined;
  /** An address on it, absolute. */
  readonly resource?: string | undefined;
  /** Methods. */
  readonly scope?: readonly string[] | undefined;
  /** The client's own token (RFC 7523), where it has no certificate. */
  readonly clientAssertion?: string | undefined;
}

/** @throws {ExchangeError} */
export function exchangeRequest(contentType: string | undefined, body: string): ExchangeRequest {
  if (contentType?.split(';', 1)[0]?.trim().toLowerCase() !== 'application/x-www-form-urlencoded') {
    throw malformed('send application/x-www-form-urlencoded');
  }
  const form = new URLSearchParams(body);
  const one = (name: string): string | undefined => {
    const [value, ...more] = form.getAll(name);
    if (more.length > 0) {
      // Several targets are allowed by the RFC, and refused by us: a token is for one app.
      if (name === 'audience' || name === 'resource') throw target('a token is for one app: name one');
      throw malformed(`${name} is there twice`);
    }
    // Without a value as if left out (RFC 6749 section 3.2).
    return value === '' ? undefined : value;
  };
  if (one('grant_type') !== GRANT) {
    throw new ExchangeError('unsupported_grant_type', 'grant-type', `the one grant type here is ${GRANT}`);
  }
  const subjectToken = one('subject_token');
  if (subjectToken === undefined) throw malformed('subject_token, the assertion, is missing');
  if (one('subject_token_type') !== JWT_TYPE) throw malformed(`subject_token_type is ${JWT_TYPE}`);
  if ((one('requested_token_type') ?? JWT_TYPE) !== JWT_TYPE) {
    throw malformed(`only ${JWT_TYPE} is issued`);
  }
  if (one('actor_token') !== undefined || one('actor_token_type') !== undefined) {
    throw malformed('the client is who acts: leave actor_token out');
  }
  const [audience, resource] = [one('audience'), one('resource')];
  if (audience === undefined && resource === undefined) throw target('say which app: audience or resource');
  return {
    ...{ subjectToken, audience },
    resource: absolute(resource),
    scope: methods(one('scope')),
    clientAssertion: clientAssertion(one('client_assertion'), one('client_assertion_type')),
  };
}

function absolute(resource: string | undefined): string | undefined {
  const url = URL.parse(resource ?? '');
  const good = url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === '';
  if (resource !== undefined && !good) throw target('resource is an https address without fragment');
  return resource;
}

function methods(scope: string | undefined): readonly string[] | undefined {
  if (scope === undefined) return undefined;
  const words = [...new Set(scope.split(' '))];
  if (words.length > MAX_SCOPES || !words.every((word) => /^[A-Z]{1,16}$/.test(word))) {
    throw new ExchangeError('invalid_scope', 'scope', 'scope is a list of methods, like GET HEAD');
  }
  return words;
}

function clientAssertion(token: string | undefined, type: string | undefined): string | undefined {
  if (token === undefined && type === undefined) return undefined;
  if (token !== undefined && type === CLIENT_ASSERTION) return token;
  throw malformed(`client_assertion comes with the client_assertion_type ${CLIENT_ASSERTION}`);
}

/** What `subject` may do narrowed to `wanted`; undefined is everything. @throws {ExchangeError} for more than it has. */
export function narrowed(
  subject: readonly string[] | undefined,
  wanted: readonly string[] | undefined,
): readonly string[] | undefined {
  if (wanted === undefined || subject === undefined) return wanted ?? subject;
  const wider = wanted.find((method) => !subject.includes(method));
  if (wider === undefined) return wanted;
  throw new ExchangeError('invalid_scope', 'scope-wider', `the assertion is not good for ${wider}`);
}

export function malformed(message: string): ExchangeError {
  return new ExchangeError('invalid_request', 'malformed', message);
}

export function target(message: string): ExchangeError {
  return new ExchangeError('invalid_target', 'target', message);
}
