// A connector's response head made fit for a client: fields of the connection between app and connector go, and
// the body's length is learnt. The connector's word is not trusted to frame anything.

/** What the head says about the body; `problem` means that it must not be passed on. */
export interface ResponseFraming {
  readonly headers: string[];
  /** Declared `Content-Length`, or -1. */
  readonly length: number;
  /** An event stream: it may be silent for as long as it likes. */
  readonly events: boolean;
  readonly problem?: string;
}

const DIGITS = /^\d{1,15}$/;
/** What the connector has taken off the body, or nothing at all: any other coding is still on it. */
const DECODED = /^(?:chunked|identity)$/i;

/** Adds the names that one `Connection` nominates to `names`, lower case; undefined while none was. */
function nominated(value: string, names: Set<string> | undefined): Set<string> | undefined {
  let all = names;
  for (const part of value.toLowerCase().split(',')) {
    const name = part.trim();
    if (name === '' || name === 'close' || name === 'keep-alive') continue;
    all ??= new Set();
    all.add(name);
  }
  return all;
}

/**
 * Hop-by-hop fields removed (RFC 9110 section 7.6.1), the rest as it came.
 * `bodyless`: the response has no body whatever it declares (HEAD, 204, 304). `trailers`: they can be sent.
 */
export function frameResponse(
  headers: readonly string[],
  status: number,
  bodyless: boolean,
  trailers: boolean,
): ResponseFraming {
  const kept: string[] = [];
  let length = -1;
  let events = false;
  let coded = false;
  let trailer: string | undefined;
  let hops: Set<string> | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    switch (name.toLowerCase()) {
      case 'connection':
        hops = nominated(value, hops);
        continue;
      case 'keep-alive':
      case 'proxy-connection':
      case 'te':
        continue;
      case 'transfer-encoding':
        // The client asked for none, and would take what is encoded for the body.
        if (!bodyless && (coded || !DECODED.test(value)))
          return { headers: [], length, events, problem: 'Transfer-Encoding' };
        coded = true;
        continue;
      case 'upgrade':
        // What the app asks for with 426 is its answer, and upgrades are carried end to end.
        if (status !== 426) continue;
        break;
      case 'trailer':
        trailer = value;
        continue;
      case 'content-length':
        if (length !== -1 || !DIGITS.test(value))
          return { headers: [], length, events, problem: 'Content-Length' };
        length = Number(value);
        if (status < 200 || status === 204) continue;
        break;
      case 'content-type':
        events = value.toLowerCase().startsWith('text/event-stream');
        break;
    }
    kept.push(name, value);
  }
  // node refuses to announce trailers where it cannot send any.
  if (trailer !== undefined && trailers && length === -1 && !bodyless) kept.push('Trailer', trailer);
  // By the book it is nominated there, too (RFC 9110 section 7.8).
  if (status === 426) hops?.delete('upgrade');
  return { headers: hops === undefined ? kept : without(kept, hops), length: bodyless ? -1 : length, events };
}

function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    // Framing is ours whatever the app nominates.
    if (!names.has(name.toLowerCase()) || name.toLowerCase() === 'content-length') {
      kept.push(name, headers[i + 1] as string);
    }
  }
  return kept;
}

/** Fields that have no business in a trailer section (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS = new Set([
  ...['authorization', 'cache-control', 'connection', 'content-encoding', 'content-length', 'content-range'],
  ...[
    'content-type',
    'cookie',
    'expect',
    'host',
    'keep-alive',
    'location',
    'max-forwards',
    'proxy-connection',
  ],
  ...['range', 'set-cookie', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'www-authenticate'],
]);

/** Flat trailers as pairs, without the fields that would change how the message is read. */
export function trailerPairs(trailers: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string;
    if (!NOT_IN_TRAILERS.has(name.toLowerCase())) pairs.push([name, trailers[i + 1] as string]);
  }
  return pairs;
}
