// Well-formed requests of all kinds, and the mistakes made in them: by byte, by line, by header, by framing.
import { HOST } from './installation.ts';
import type { Dice } from './tally.ts';

type Template = (cookie: string) => string;

const head = (line: string, cookie: string, ...lines: string[]): string =>
  `${line} HTTP/1.1\r\n${[`Host: ${HOST}`, `Cookie: ${cookie}`, ...lines].join('\r\n')}\r\n\r\n`;

export const TEMPLATES: readonly Template[] = [
  (cookie) => head('GET /open/a?b=c', cookie, 'Accept: text/html', 'User-Agent: fuzz'),
  (cookie) => head('GET /open/caf%C3%A9/x;y=z', cookie),
  (cookie) => head('GET /open/shut/x', cookie),
  (cookie) => head('GET /elsewhere', cookie),
  (cookie) => head(`GET https://${HOST}/open/absolute`, cookie),
  (cookie) => `${head('POST /open/length', cookie, 'Content-Length: 11')}hello=world`,
  (cookie) =>
    `${head('POST /open/chunks', cookie, 'Transfer-Encoding: chunked')}5\r\nhello\r\n6;a=b\r\n=world\r\n0\r\n\r\n`,
  (cookie) =>
    `${head('POST /open/trailers', cookie, 'Transfer-Encoding: chunked', 'Trailer: X-T')}1\r\na\r\n0\r\nX-T: b\r\n\r\n`,
  (cookie) => `${head('POST /open/expect', cookie, 'Expect: 100-continue', 'Content-Length: 3')}abc`,
  (cookie) =>
    head('GET /open/one', cookie) + head('GET /open/two', cookie) + head('DELETE /open/three', cookie),
  (cookie) => {
    const inner = head('GET /open/inner', cookie);
    return head('POST /open/outer', cookie, `Content-Length: ${inner.length}`) + inner;
  },
  (cookie) =>
    head(
      'GET /open/socket',
      cookie,
      ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
      ...['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', `Origin: https://${HOST}`],
    ),
  (cookie) =>
    head('HEAD /open/head', cookie, 'Connection: keep-alive, X-A', 'X-A: b', 'X-Forwarded-For: 10.0.0.1'),
  () => `GET /open/nobody HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
];

const BYTES: readonly string[] = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    '\t',
    ' ',
    '\x0b',
    '\x0c',
    '\x7f',
    '\x80',
    '\xa0',
    '\xff',
    ':',
    ';',
    ',',
    '=',
    '"',
    "'",
    '/',
  ],
  ...[
    '\\',
    '%',
    '#',
    '?',
    '@',
    '_',
    '.',
    '..',
    '//',
    '/../',
    '%2e%2e/',
    '%2F',
    '%5c',
    '%00',
    '%0d%0a',
    '%25%32%65',
    '%c0%ae',
  ],
  ...[
    '/open/shut/x',
    '/elsewhere',
    '\r\n\r\n',
    '0\r\n\r\n',
    ' HTTP/1.1',
    ' HTTP/1.0',
    ' HTTP/0.9',
    ' HTTP/2.0',
    'http://',
    'xn--',
  ],
];

export const LINES: readonly string[] = [
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding : chunked',
    'Transfer-Encoding:\tchunked',
  ],
  ...[
    'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: gzip, chunked',
    'transfer-encoding:\x0bchunked',
  ],
  ...[
    ' Transfer-Encoding: chunked',
    'X: y\n Transfer-Encoding: chunked',
    'Transfer-Encoding\r: chunked',
    'Transfer_Encoding: chunked',
  ],
  ...[
    'Content-Length: 0',
    'Content-Length: 5',
    'Content-Length: 05',
    'Content-Length: +5',
    'Content-Length: -1',
    'Content-Length: 5, 5',
  ],
  ...[
    'Content-Length: 0x5',
    'Content-Length: 99999999999999999999',
    'Content-Length:',
    'Content_Length: 5',
    'Content-Length : 5',
  ],
  ...[
    'Host: evil.example',
    'Host: vault.localhost',
    'Host: a@wiki.localhost',
    'Host:',
    'Host: wiki.localhost:1',
    'host: WIKI.localhost',
  ],
  ...[
    'Connection: close',
    'Connection: Upgrade',
    'Connection: Host, Content-Length, Cookie',
    'Connection: X-Sallyport-Assertion',
    'Upgrade: h2c',
  ],
  ...[
    'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    'Upgrade: websocket',
    'Expect: 100-continue',
    'Expect: 200',
    'TE: trailers',
    'Trailer: Cookie',
  ],
  ...[
    'X-Sallyport-Assertion: x',
    'X_Forwarded_User: root',
    'X-Forwarded-Prefix: /open',
    'X-HTTP-Method-Override: DELETE',
    'X-Original-URL: /open',
  ],
  ...[
    'Cookie: a=b',
    'Authorization: Bearer x',
    'Origin: null',
    '__proto__: x',
    'constructor: x',
    'X-A: b\rX-B: c',
    'X-A: b\nX-B: c',
    ': x',
    'x',
  ],
  ...[
    `X: ${'a'.repeat(17_000)}`,
    'Range: bytes=0-',
    'Content-Encoding: br',
    'GET /open/smuggled HTTP/1.1',
    `Cookie: ${'__Host-sallyport='.repeat(20)}`,
  ],
];

/** A broken request, in the pieces it is sent in. */
export function mutateRequest(request: string, dice: Dice): string[] {
  let text = request;
  const moves = dice.chance(0.5) ? 1 : 1 + dice.below(3);
  for (let move = 0; move < moves; move += 1) text = broken(text, dice);
  if (!dice.chance(0.3) || text.length < 2) return [text];
  const pieces: string[] = [];
  const cuts = 1 + dice.below(3);
  let from = 0;
  for (let cut = 0; cut < cuts; cut += 1) {
    const to = from + 1 + dice.below(Math.max(1, text.length - from - 1));
    pieces.push(text.slice(from, to));
    from = to;
  }
  return [...pieces, text.slice(from)].filter((piece) => piece !== '');
}

function broken(text: string, dice: Dice): string {
  const at = dice.below(text.length + 1);
  switch (dice.below(10)) {
    case 0:
    case 1: {
      // The request line, where paths and methods are.
      const line = dice.below(Math.max(1, text.indexOf('\r\n')));
      return text.slice(0, line) + dice.pick(BYTES) + text.slice(line + dice.below(2));
    }
    case 2:
      return text.slice(0, at) + dice.pick(BYTES) + text.slice(at + dice.below(3));
    case 3:
    case 4: {
      const lines = text.split('\r\n');
      lines.splice(1 + dice.below(Math.max(1, lines.indexOf('') - 1)), 0, dice.pick(LINES));
      return lines.join('\r\n');
    }
    case 5: {
      const lines = text.split('\r\n');
      const from = dice.below(lines.length);
      lines.splice(dice.below(lines.length), 0, lines[from] ?? '');
      return lines.join('\r\n');
    }
    case 6: {
      const lines = text.split('\r\n');
      lines.splice(dice.below(lines.length), 1);
      return lines.join('\r\n');
    }
    case 7:
      return text.slice(0, at) + String.fromCharCode(dice.below(256)) + text.slice(at + 1);
    case 8: {
      // Letters in the other case: names and values mean the same to some.
      const end = Math.min(text.length, at + 1 + dice.below(12));
      const piece = text.slice(at, end);
      return (
        text.slice(0, at) + (dice.chance(0.5) ? piece.toUpperCase() : piece.toLowerCase()) + text.slice(end)
      );
    }
    default:
      return dice.chance(0.3) ? text.slice(0, at) : text + text.slice(at);
  }
}
