// The headers an app receives: the client's own, less everything it could use to speak in our name, plus ours.
import { randomFillSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { trailerPairs } from '#gateway/tunnel/head';
import { fold, headerName, speaksForUs } from './header-name.ts';

/** Prefix of our own cookies: no app may read or set them. */
export const OWN_COOKIE_PREFIX = '__Host-sallyport';

export interface Provenance {
  /** Canonical address of the client's socket. */
  readonly address: string;
  readonly decisionId: string;
  readonly traceparent: string;
  /** Where the request leads to, as it was decided on. */
  readonly destination?: string | undefined;
}

/** Headers to forward as a flat name, value, … list. `upgrade` keeps a WebSocket handshake whole. */
export function forwardHeaders(request: IncomingMessage, from: Provenance, upgrade: boolean): string[] {
  const named = connectionTokens(request.headers.connection);
  // Names of hosts have no case; apps that compare them should not have to know.
  const host = (request.headers.host ?? '').toLowerCase();
  const headers: string[] = [];
  const raw = request.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const { folded, passes } = headerName(name);
    if (!passes || named.has(folded)) continue;
    const ours = folded === 'host' ? host : folded === 'destination' ? from.destination : undefined;
    const value = ours ?? raw[i + 1] ?? '';
    if (folded === 'cookie') {
      const kept = withoutOwnCookies(value);
      if (kept !== '') headers.push(name, kept);
    } else headers.push(name, value);
  }
  if (upgrade) headers.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  // Of the connection before us, but true of the whole way: trailers are carried in both directions.
  const { te, trailer, 'transfer-encoding': encoding } = request.headers;
  if (te !== undefined && TAKES_TRAILERS.test(String(te))) headers.push('TE', 'trailers');
  if (trailer !== undefined && encoding !== undefined) headers.push('Trailer', trailer);
  const node = from.address.includes(':') ? `"[${from.address}]"` : from.address;
  headers.push(
    'X-Forwarded-For',
    from.address,
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    host,
    'Forwarded',
    `for=${node};host="${host}";proto=https`,
    'X-Request-Id',
    from.decisionId,
    'traceparent',
    from.traceparent,
  );
  return headers;
}

const TAKES_TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i;

/** Trailers to forward: fewer fields than a head may have, and none that speaks for us, so that none can be merged in. */
export function forwardTrailers(raw: readonly string[]): string[] {
  return trailerPairs(raw).flatMap(([name, value]) =>
    speaksForUs(fold(name)) || name.includes('_') ? [] : [name, value],
  );
}

/** `Connection: X` asks the next hop to drop X. Host and framing are not the client's to drop. */
function connectionTokens(connection: string | undefined): ReadonlySet<string> {
  if (connection === undefined) return NONE;
  const tokens = connection.split(',').map((token) => fold(token.trim()));
  return new Set(tokens.filter((token) => token !== 'host' && token !== 'content-length'));
}
const NONE: ReadonlySet<string> = new Set();

/** A Cookie header without our own cookies, '' if nothing is left. */
export function withoutOwnCookies(cookie: string): string {
  if (!cookie.includes(OWN_COOKIE_PREFIX)) return cookie;
  return cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !pair.startsWith(OWN_COOKIE_PREFIX))
    .join('; ');
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** Makes random ids in hexadecimal; bytes are drawn many at a time, since asking for them is what costs. */
function hexIds(): (bytes: number) => string {
  const pool = Buffer.alloc(4096);
  let used = pool.length;
  return (bytes) => {
    if (used + bytes > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return pool.toString('hex', used - bytes, used);
  };
}
const randomHex = hexIds();

/** The client's trace id if it sent a valid one (W3C Trace Context), else `known` or a new one; the span is ours. */
export function traceOf(
  request: IncomingMessage,
  known?: string,
): { readonly id: string; readonly parent: string } {
  const sent = TRACEPARENT.exec(String(request.headers['traceparent'] ?? ''));
  const given = sent?.[1];
  const id = given !== undefined && !/^0+$/.test(given) ? given : (known ?? randomHex(16));
  const span = randomHex(8);
  return { id, parent: `00-${id}-${span}-01` };
}
