// Request and response heads as one compact blob: fields joined by LF. A field cannot hold CR, LF or NUL by
// construction, so a head that came through here can never split a message at the other side.
import { HeadError } from './error.ts';
import { MAX_HEAD } from './limits.ts';

export interface RequestHead {
  readonly method: string;
  /** Origin form, or `*`, byte for byte (latin-1). */
  readonly path: string;
  /** Flat `name, value, …`. */
  readonly headers: string[];
}

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** Flat `name, value, …`. */
  readonly headers: string[];
}

const CONTROL = /[^\t\n\x20-\x7e\x80-\xff]/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PATH = /^(?:\/[\x21-\x7e\x80-\xff]*|\*)$/;
const STATUS = /^[1-9]\d\d$/;

/** Joins the fields, in pairs, and makes sure that as many will be found again. */
function join(fields: readonly string[]): string {
  if (fields.length % 2 !== 0) throw new HeadError('a header name has no value');
  const text = fields.join('\n');
  if (text.length > MAX_HEAD) throw new HeadError(`the head has ${text.length} bytes, above ${MAX_HEAD}`);
  if (CONTROL.test(text)) throw new HeadError('a field holds a control character, or one outside latin-1');
  let found = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) found += 1;
  if (found !== fields.length) throw new HeadError('a field holds a line feed');
  return text;
}

function split(payload: Buffer, at: number): string[] {
  const text = payload.toString('latin1', at);
  if (CONTROL.test(text)) throw new HeadError('a field holds a control character');
  return text.split('\n');
}

function checkNames(fields: readonly string[], from: number): void {
  if (fields.length % 2 !== 0) throw new HeadError('a header name has no value');
  for (let i = from; i < fields.length; i += 2) {
    if (!TOKEN.test(fields[i] as string)) throw new HeadError('a header name is not a token');
  }
}

/** `more`: headers behind the others. @throws {HeadError} when a field could split the message, or the head is too large. */
export function encodeRequest(
  method: string,
  path: string,
  headers: readonly string[],
  more: readonly string[] = [],
): string {
  return join([method, path, ...headers, ...more]);
}

/** @throws {HeadError} */
export function decodeRequest(payload: Buffer, at: number): RequestHead {
  const fields = split(payload, at);
  const [method = '', path = ''] = fields;
  if (!TOKEN.test(method)) throw new HeadError('the method is not a token');
  if (!PATH.test(path)) throw new HeadError('the target is not in origin form');
  checkNames(fields, 2);
  return { method, path, headers: fields.slice(2) };
}

/** @throws {HeadError} */
export function encodeResponse(status: number, reason: string, headers: readonly string[]): string {
  return join([String(status), reason, ...headers]);
}

/** @throws {HeadError} */
export function decodeResponse(payload: Buffer): ResponseHead {
  const fields = split(payload, 0);
  const [status = '', reason] = fields;
  if (!STATUS.test(status) || reason === undefined) throw new HeadError('the status is not 100 to 999');
  checkNames(fields, 2);
  return { status: Number(status), reason, headers: fields.slice(2) };
}

/** Trailers: at least one pair. @throws {HeadError} */
export function encodeTrailers(trailers: readonly string[]): string {
  if (trailers.length === 0) throw new HeadError('no trailers to encode');
  return join(trailers);
}

/** @throws {HeadError} */
export function decodeTrailers(payload: Buffer): string[] {
  const fields = split(payload, 0);
  checkNames(fields, 0);
  return fields;
}
