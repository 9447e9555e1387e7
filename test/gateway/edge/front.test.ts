// What the strict front refuses and lets pass, on requests as Node's own parser delivers them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, METHODS, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type Inspected, inspect } from '#gateway/edge/front';

let server: Server;
/** What the front said of the last request, or that Node's parser refused it first. */
let seen: Inspected | { ok: false; refusal: 'node' } | undefined;

before(async () => {
  server = createServer({ requireHostHeader: false, maxHeaderSize: 16_384 }, (request, response) => {
    seen = inspect(request, 'wiki.example.com');
    response.end();
  });
  server.on('upgrade', (request, socket) => {
    seen = inspect(request, 'wiki.example.com');
    socket.end();
  });
  server.on('checkExpectation', (request, response) => {
    seen = inspect(request, 'wiki.example.com');
    response.end();
  });
  server.on('clientError', (_error, socket) => {
    seen = { ok: false, refusal: 'node' };
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.closeAllConnections();
  server.close();
});

async function send(raw: string): Promise<typeof seen> {
  seen = undefined;
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.end(Buffer.from(raw, 'latin1'));
  socket.resume();
  await once(socket, 'close');
  return seen;
}

const get = (target: string, ...headers: string[]): string =>
  `GET ${target} HTTP/1.1\r\nHost: wiki.example.com\r\n${headers.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`;

describe('a request with one reading passes in canonical form', () => {
  const passes: [name: string, raw: string, path: string, query?: string][] = [
    ['plain', get('/a/b'), '/a/b'],
    ['with a query, kept as it is', get('/a?x=%2F..%2f&y=//'), '/a', '?x=%2F..%2f&y=//'],
    ['escapes of unreserved characters are decoded', get('/%61%7eb'), '/a~b'],
    ['other escapes are upper-cased', get('/caf%c3%a9'), '/caf%C3%A9'],
    ['letters of Latin-1', get('/%fcber/%f8'), '/%FCber/%F8'],
    ['À and à of UTF-8', get('/%c3%80%c3%a0%e0%a4%85%f0%9f%98%80'), '/%C3%80%C3%A0%E0%A4%85%F0%9F%98%80'],
    ['a literal percent sign', get('/100%25'), '/100%25'],
    ['what browsers leave as it is in a path', get('/[id]/a|b'), '/%5Bid%5D/a%7Cb'],
    ['every pchar', get("/-._~!$&'()*+,;=:@"), "/-._~!$&'()*+,;=:@"],
    ['dots that are no dot segment', get('/.hidden/..x/x../...'), '/.hidden/..x/x../...'],
    ['absolute form for this very host', get('https://wiki.example.com/a?b'), '/a', '?b'],
    ['absolute form without a path', get('https://WIKI.example.com'), '/'],
    ['trailing slash', get('/a/'), '/a/'],
  ];
  for (const [name, raw, path, query = ''] of passes) {
    test(name, async () => {
      assert.deepEqual(await send(raw), {
        ok: true,
        request: { host: 'wiki.example.com', path, query, method: 'GET' },
      });
    });
  }

  test('every method that the parser knows, but CONNECT and TRACE', async () => {
    for (const method of METHODS.filter((name) => name !== 'CONNECT' && name !== 'TRACE')) {
      const inspected = await send(
        `${method} / HTTP/1.1\r\nHost: wiki.example.com\r\nContent-Length: 0\r\n\r\n`,
      );
      assert.ok(inspected?.ok === true && inspected.request.method === method, method);
    }
  });

  test('the host is read without case and port', async () => {
    const result = await send('GET / HTTP/1.1\r\nHost: Wiki.Example.COM:8443\r\n\r\n');
    assert.equal(result?.ok && result.request.host, 'wiki.example.com');
  });
});

describe('a request with two readings is refused, each with its own code', () => {
  const refused: [name: string, raw: string, refusal: string][] = [
    ['two hosts', 'GET / HTTP/1.1\r\nHost: wiki.example.com\r\nHost: evil.example\r\n\r\n', 'host-duplicate'],
    [
      'two equal hosts',
      'GET / HTTP/1.1\r\nHost: wiki.example.com\r\nHost: wiki.example.com\r\n\r\n',
      'host-duplicate',
    ],
    ['no host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n', 'host-missing'],
    ['HTTP/1.0 without host', 'GET / HTTP/1.0\r\n\r\n', 'host-missing'],
    ['userinfo in host', 'GET / HTTP/1.1\r\nHost: wiki.example.com@evil.example\r\n\r\n', 'host-malformed'],
    ['host with a trailing dot', 'GET / HTTP/1.1\r\nHost: wiki.example.com.\r\n\r\n', 'host-malformed'],
    ['host with a path', 'GET / HTTP/1.1\r\nHost: wiki.example.com/x\r\n\r\n', 'host-malformed'],
    ['very long host', `GET / HTTP/1.1\r\nHost: ${'a'.repeat(5000)}\r\n\r\n`, 'host-malformed'],
    ['another host than SNI', 'GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n', 'host-sni-mismatch'],
    ['absolute form for another host', get('https://evil.example/'), 'target-other-host'],
    ['absolute form with userinfo', get('https://wiki.example.com@evil.example/'), 'target-other-host'],
    ['absolute form without TLS', get('http://wiki.example.com/'), 'target-form'],
    ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: wiki.example.com\r\n\r\n', 'target-form'],
    ['fragment', get('/a#b'), 'path-fragment'],
    ['fragment behind a query', get('/a?b#c'), 'path-fragment'],
    ['backslash', get('/a\\b'), 'path-backslash'],
    ['empty segment', get('//evil.example/'), 'path-empty-segment'],
    ['empty segment inside', get('/a//b'), 'path-empty-segment'],
    ['dot segment', get('/a/../b'), 'path-dot-segment'],
    ['dot segment at the end', get('/a/..'), 'path-dot-segment'],
    ['single dot segment', get('/a/./b'), 'path-dot-segment'],
    ['encoded dot segment', get('/a/%2e%2E/b'), 'path-dot-segment'],
    ['dot segment with a path parameter', get('/a/..;x=1/b'), 'path-dot-segment'],
    ['dot segment with an encoded path parameter', get('/a/..%3bx/b'), 'path-dot-segment'],
    ['encoded slash', get('/a%2Fb'), 'path-encoded-delimiter'],
    ['encoded backslash', get('/a%5cb'), 'path-encoded-delimiter'],
    ['encoded NUL', get('/a%00b'), 'path-character'],
    ['encoded line end', get('/a%0d%0ab'), 'path-character'],
    ['half an escape', get('/a%2'), 'path-encoding'],
    ['not an escape', get('/a%zz'), 'path-encoding'],
    ['two layers of encoding', get('/a%252fb'), 'path-encoding'],
    ['a second layer that decoding the first uncovers', get('/%25%32%65'), 'path-encoding'],
    ['a dot in two bytes', get('/%c0%ae/a'), 'path-encoding'],
    ['a slash in three', get('/%E0%80%AFa'), 'path-encoding'],
    ['a dot in four', get('/%f0%80%80%ae'), 'path-encoding'],
    ['a dot in five', get('/%f8%80%80%80%ae'), 'path-encoding'],
    ['a slash in six', get('/%FC%80%80%80%80%AF'), 'path-encoding'],
    ['raw quotes', get('/a"b'), 'path-character'],
    ['too long', get(`/${'a'.repeat(9000)}`), 'target-too-long'],
    ['underscore in a header name', get('/', 'X_Forwarded_User: root'), 'header-name'],
    ['two cookies', get('/', 'Cookie: a=1', 'Cookie: b=2'), 'header-duplicate'],
    ['two destinations', get('/', 'Destination: /a', 'Destination: /b'), 'header-duplicate'],
    [
      'a destination at another host',
      'COPY /a HTTP/1.1\r\nHost: wiki.example.com\r\nDestination: https://evil.example/a\r\n\r\n',
      'destination',
    ],
    ['two origins', get('/', 'Origin: https://a', 'Origin: https://b'), 'header-duplicate'],
    ['two authorizations', get('/', 'Authorization: a', 'authorization: b'), 'header-duplicate'],
    ['101 headers', get('/', ...Array.from({ length: 101 }, (_, i) => `X-${i}: y`)), 'header-count'],
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: wiki.example.com\r\n\r\n', 'method'],
    [
      'chunked on HTTP/1.0',
      'POST / HTTP/1.0\r\nHost: wiki.example.com\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'framing',
    ],
    [
      'identity, chunked',
      'POST / HTTP/1.1\r\nHost: wiki.example.com\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n',
      'framing',
    ],
    [
      'a length that may be octal',
      'POST / HTTP/1.1\r\nHost: wiki.example.com\r\nContent-Length: 010\r\n\r\n0123456789',
      'framing',
    ],
    ['other expectations', get('/', 'Expect: 200-maybe'), 'expectation'],
    ['gRPC', get('/', 'Content-Type: application/grpc+proto'), 'grpc'],
    ['gRPC in other letters', get('/', 'Content-Type: Application/GRPC'), 'grpc'],
    ['WebSocket without a key', get('/', 'Upgrade: websocket', 'Connection: Upgrade'), 'upgrade'],
    ['bell in a header value', get('/', 'X-Name: a\u0007b'), 'node'],
    [
      'length and encoding',
      'POST / HTTP/1.1\r\nHost: wiki.example.com\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'node',
    ],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: wiki.example.com\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
      'node',
    ],
    [
      'xchunked',
      'POST / HTTP/1.1\r\nHost: wiki.example.com\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
      'node',
    ],
    ['bare line feed', 'GET / HTTP/1.1\nHost: wiki.example.com\n\n', 'node'],
    ['folded header', get('/', 'X: a', ' b'), 'node'],
    ['space before the colon', get('/', 'X : a'), 'node'],
    ['NUL in a value', get('/', 'X: a\0b'), 'node'],
  ];
  for (const [name, raw, refusal] of refused) {
    test(name, async () => {
      const result = await send(raw);
      assert.equal(result?.ok, false);
      assert.equal(result?.ok === false && result.refusal, refusal);
    });
  }
});
