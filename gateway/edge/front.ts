// The strict front: refuses every request that two parties could read in two ways, before anything else looks
// at it. Pure; what it returns is the only form of the request that later rooms use and that is forwarded.
import { type IncomingMessage, METHODS as KNOWN } from 'node:http';
import { headerName } from './header-name.ts';
import { MAX_HEADERS, MAX_HOST } from './limits.ts';
import type { Refusal } from './refusals.ts';
import { canonicalTarget } from './target.ts';

/** A request in its one canonical form. */
export interface CleanRequest {
  /** Lower case, without port. */
  readonly host: string;
  /** Canonical path: what is decided on and, byte for byte, what is forwarded. */
  readonly path: string;
  /** The query with its question mark, or ''. */
  readonly query: string;
  readonly method: string;
  /** Where a COPY or MOVE (RFC 4918) leads to on the same host, as canonical as the path. */
  readonly destination?: Pick<CleanRequest, 'path' | 'query'>;
}

export type Inspected =
  | { readonly ok: true; readonly request: CleanRequest }
  | { readonly ok: false; readonly refusal: Refusal };

/** Visible ASCII, obs-text and tab. Anything else in a value is somebody trying to end the line early. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const HOST = /^([a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)(?::([0-9]{1,5}))?$/i;

/** All that Node's parser knows; another it refuses itself. CONNECT and TRACE have no place at a gateway. */
const METHODS: ReadonlySet<string> = new Set(
  KNOWN.filter((method) => method !== 'CONNECT' && method !== 'TRACE'),
);

/** Methods that write to the address in `Destination`. */
const LEADS_ON: ReadonlySet<string> = new Set(['COPY', 'MOVE']);

/** Judges one parsed request. `serverName` is the SNI of its connection, false where there was none. */
export function inspect(request: IncomingMessage, serverName: string | false): Inspected {
  if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') return refuse('version');
  const method = request.method ?? '';
  if (!METHODS.has(method)) return refuse('method');
  const fault = checkHeaders(request.rawHeaders) ?? checkFraming(request);
  if (fault !== undefined) return refuse(fault);
  const sent = request.headers.host ?? '';
  const host = sent.length > MAX_HOST ? null : HOST.exec(sent);
  if (host?.[1] === undefined)
    return refuse(request.headers.host === undefined ? 'host-missing' : 'host-malformed');
  const name = host[1].toLowerCase();
  if (serverName === false || serverName.toLowerCase() !== name) return refuse('host-sni-mismatch');
  const target = canonicalTarget(request.url ?? '', host[0]);
  if (!target.ok) return target;
  const clean = { host: name, path: target.path, query: target.query, method };
  const { destination } = request.headers;
  if (destination === undefined || !LEADS_ON.has(method)) return { ok: true, request: clean };
  const leads = canonicalTarget(String(destination), host[0]);
  if (!leads.ok) return refuse('destination');
  return {
    ok: true,
    request: { ...clean, destination: { path: leads.path, query: leads.query } },
  };
}

/** A request at each place it is about: what is copied, and where to. */
export function placesOf(clean: CleanRequest): readonly CleanRequest[] {
  return clean.destination === undefined ? [clean] : [clean, { ...clean, ...clean.destination }];
}

function checkHeaders(raw: readonly string[]): Refusal | undefined {
  if (raw.length > MAX_HEADERS * 2) return 'header-count';
  const seen = new Set<string>();
  for (let i = 0; i < raw.length; i += 2) {
    const name = headerName(raw[i] ?? '');
    if (!name.wellFormed) return 'header-name';
    if (!FIELD_VALUE.test(raw[i + 1] ?? '')) return 'header-value';
    if (!name.single) continue;
    if (seen.has(name.lower)) return name.lower === 'host' ? 'host-duplicate' : 'header-duplicate';
    seen.add(name.lower);
  }
  return undefined;
}

function checkFraming(request: IncomingMessage): Refusal | undefined {
  const { 'transfer-encoding': encoding, 'content-length': length, expect, upgrade } = request.headers;
  if (encoding !== undefined) {
    // Node's parser accepts `identity, chunked` and chunked on HTTP/1.0, which others frame differently.
    if (encoding.toLowerCase() !== 'chunked' || length !== undefined || request.httpVersion === '1.0')
      return 'framing';
  }
  // To some a zero in front makes it octal.
  if (length !== undefined && !/^(?:0|[1-9][0-9]{0,14})$/.test(length)) return 'framing';
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return 'expectation';
  // It says how a call ended in trailers of HTTP/2; gRPC-Web says so in the body, and passes.
  if (/^application\/grpc(?!-)/i.test(request.headers['content-type'] ?? '')) return 'grpc';
  if (upgrade?.toLowerCase() === 'websocket') {
    const wellFormed =
      request.method === 'GET' &&
      encoding === undefined &&
      (length === undefined || length === '0') &&
      /^[A-Za-z0-9+/]{22}==$/.test(request.headers['sec-websocket-key'] ?? '') &&
      request.headers['sec-websocket-version'] === '13';
    if (!wellFormed) return 'upgrade';
  }
  return undefined;
}

function refuse(refusal: Refusal): Inspected {
  return { ok: false, refusal };
}
