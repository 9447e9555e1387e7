// Requests that could be read in two ways, by somebody who may use the app: refused with the right code and recorded,
// and the app's own log shows that not one of them reached it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { NEEDS, StoryInstallation } from './installation.ts';
import { until } from './part.ts';
import { sendRaw } from './raw.ts';

type Case = readonly [what: string, status: number, code: string, bytes: string, serverName?: string | false];

const HOST = 'wiki.localhost';

/** `lines`: further header lines; `body` follows the head. The cookie is Ada's: only the form is wrong. */
function cases(port: number, cookie: string): Case[] {
  const host = `Host: ${HOST}:${port}`;
  const to = (method: string, target: string, lines: readonly string[] = [], body = ''): string =>
    [`${method} ${target} HTTP/1.1`, host, `Cookie: ${cookie}`, ...lines, '', body].join('\r\n');
  const smuggled = to('GET', '/smuggled');
  const chunked = (body: string, ...lines: string[]): string =>
    to('POST', '/x', ['Transfer-Encoding: chunked', ...lines], body);
  return [
    ['no Host', 400, 'host-missing', `GET / HTTP/1.1\r\nCookie: ${cookie}\r\n\r\n`],
    ['HTTP/1.0 without Host', 400, 'host-missing', `GET / HTTP/1.0\r\nCookie: ${cookie}\r\n\r\n`],
    ['two Hosts', 400, 'host-duplicate', to('GET', '/', [host])],
    ['two Hosts that differ', 400, 'host-duplicate', to('GET', '/', ['Host: vault.localhost'])],
    ['Host with userinfo', 400, 'host-malformed', `GET / HTTP/1.1\r\nHost: a@${HOST}\r\n\r\n`],
    ['Host with a path', 400, 'host-malformed', `GET / HTTP/1.1\r\nHost: ${HOST}/x\r\n\r\n`],
    ['an empty Host', 400, 'host-malformed', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'],
    ['a Host with a trailing dot', 400, 'host-malformed', `GET / HTTP/1.1\r\nHost: ${HOST}.\r\n\r\n`],
    ['Host of another app', 421, 'host-sni-mismatch', to('GET', '/'), 'vault.localhost'],
    ['no SNI', 421, 'host-sni-mismatch', to('GET', '/'), false],
    [
      'a name that is not served',
      421,
      'host-not-served',
      'GET / HTTP/1.1\r\nHost: x.localhost\r\n\r\n',
      'x.localhost',
    ],
    ['absolute form, other host', 400, 'target-other-host', to('GET', 'https://vault.localhost/')],
    ['absolute form, other scheme', 400, 'target-form', to('GET', `http://${HOST}:${port}/`)],
    ['no target form at all', 400, 'parse', to('GET', 'index.html')],
    ['the asterisk form', 400, 'target-form', to('OPTIONS', '*')],
    [
      'Content-Length and Transfer-Encoding',
      400,
      'parse',
      chunked(`0\r\n\r\n${smuggled}`, 'Content-Length: 4'),
    ],
    [
      'Transfer-Encoding and Content-Length',
      400,
      'parse',
      to('POST', '/x', ['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`),
    ],
    [
      'two Content-Lengths',
      400,
      'parse',
      to('POST', '/x', ['Content-Length: 4', 'Content-Length: 5'], 'aaaaa'),
    ],
    ['a list of lengths', 400, 'parse', to('POST', '/x', ['Content-Length: 4, 4'], 'aaaa')],
    ['a signed length', 400, 'parse', to('POST', '/x', ['Content-Length: +4'], 'aaaa')],
    ['a length in hexadecimal', 400, 'parse', to('POST', '/x', ['Content-Length: 0x4'], 'aaaa')],
    [
      'a length beyond any number',
      400,
      'framing',
      to('POST', '/x', ['Content-Length: 9999999999999999'], 'a'),
    ],
    ['xchunked', 400, 'framing', to('POST', '/x', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${smuggled}`)],
    [
      'identity, then chunked',
      400,
      'framing',
      to('POST', '/x', ['Transfer-Encoding: identity, chunked'], '0\r\n\r\n'),
    ],
    [
      'chunked, then identity',
      400,
      'parse',
      to('POST', '/x', ['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'),
    ],
    ['chunked twice', 400, 'parse', chunked('0\r\n\r\n', 'Transfer-Encoding: chunked')],
    ['chunked in HTTP/1.0', 400, 'framing', chunked('0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0')],
    [
      'a space before the colon',
      400,
      'parse',
      to('POST', '/x', ['Transfer-Encoding : chunked'], '0\r\n\r\n'),
    ],
    ['a folded header', 400, 'parse', to('POST', '/x', ['Transfer-Encoding:\r\n chunked'], '0\r\n\r\n')],
    ['a tab in a name', 400, 'parse', to('GET', '/', ['X-A\tB: c'])],
    ['a bare LF', 400, 'parse', to('GET', '/', [`X-A: b\n${smuggled}`])],
    ['a bare CR in a value', 400, 'parse', to('GET', '/', ['X-A: b\rX-B: c'])],
    ['NUL in a value', 400, 'parse', to('GET', '/', ['X-A: b\0c'])],
    ['a control byte in a value', 400, 'parse', to('GET', '/', ['X-A: b\x01c'])],
    ['an underscore in a name', 400, 'header-name', to('GET', '/', ['X_Forwarded_User: root'])],
    ['two cookies headers', 400, 'header-duplicate', to('GET', '/', ['Cookie: a=b'])],
    [
      '101 headers',
      431,
      'header-count',
      to(
        'GET',
        '/',
        Array.from({ length: 101 }, (_, i) => `X-${i}: y`),
      ),
    ],
    ['headers of 20 KB', 431, 'header-size', to('GET', '/', [`X-A: ${'a'.repeat(20_000)}`])],
    ['a target of 9 KB', 414, 'target-too-long', to('GET', `/${'a'.repeat(9000)}`)],
    ['TRACE', 405, 'method', to('TRACE', '/')],
    ['CONNECT', 405, 'method', to('CONNECT', `${HOST}:443`)],
    ['a method nobody knows', 400, 'parse', to('FROB', '/')],
    ['HTTP/2 without asking', 400, 'parse', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/0.9', 505, 'version', 'GET /\r\n\r\n'],
    ['HTTP/1.2', 400, 'parse', to('GET', '/').replace('HTTP/1.1', 'HTTP/1.2')],
    ['bytes that are no request', 400, 'parse', '\x16\x03\x01\x00\x05hello\r\n\r\n'],
    ['an unknown expectation', 417, 'expectation', to('GET', '/', ['Expect: a-miracle'])],
    ['gRPC', 415, 'grpc', to('POST', '/', ['Content-Type: application/grpc', 'Content-Length: 0'])],
    [
      'an upgrade with a body',
      400,
      'upgrade',
      to('POST', '/', ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 1'], 'a'),
    ],
    [
      'an upgrade without a key',
      400,
      'upgrade',
      to('GET', '/', ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']),
    ],
    ...TRAVERSALS.map(([target, code]): Case => [`the path ${target}`, 400, code, to('GET', target)]),
  ];
}

/** Ways to say "one folder up", and others to say a path that is not the one that was decided on. */
const TRAVERSALS: readonly (readonly [string, string])[] = [
  ['/a/../vault', 'path-dot-segment'],
  ['/..', 'path-dot-segment'],
  ['/./a', 'path-dot-segment'],
  ['/a/.', 'path-dot-segment'],
  ['/%2e%2e/a', 'path-dot-segment'],
  ['/%2E./a', 'path-dot-segment'],
  ['/.%2e/a', 'path-dot-segment'],
  ['/a/..;/b', 'path-dot-segment'],
  ['/a/..;x=y/b', 'path-dot-segment'],
  ['/a/%2e%2e;/b', 'path-dot-segment'],
  ['/a/..%3b/b', 'path-dot-segment'],
  ['/..%2fa', 'path-encoded-delimiter'],
  ['/..%2Fa', 'path-encoded-delimiter'],
  ['/..%5ca', 'path-encoded-delimiter'],
  ['/a%2fb', 'path-encoded-delimiter'],
  ['/..\\a', 'path-backslash'],
  ['/\\evil.example', 'path-backslash'],
  ['//evil.example/', 'path-empty-segment'],
  ['/a//b', 'path-empty-segment'],
  ['/%252e%252e/a', 'path-encoding'],
  ['/%25%32%65/a', 'path-encoding'],
  ['/%c0%ae%c0%ae/a', 'path-encoding'],
  ['/%C0%AF', 'path-encoding'],
  ['/%e0%80%ae/a', 'path-encoding'],
  ['/%f0%80%80%ae/a', 'path-encoding'],
  ['/%u002e%u002e/a', 'path-encoding'],
  ['/%', 'path-encoding'],
  ['/%zz', 'path-encoding'],
  ['/a%00.html', 'path-character'],
  ['/a%0d%0aX:y', 'path-character'],
  ['/a%7f', 'path-character'],
  ['/a#b', 'path-fragment'],
  ['/a?b#c', 'path-fragment'],
  ['/a"b', 'path-character'],
  ['/a<b>', 'path-character'],
  ['/a^b`', 'path-character'],
];

/** Milliseconds: for two seconds of them what was announced and does not come is waited for. */
const UNTIL_CLOSED = 10_000;

test('a request that can be read in two ways reaches nobody', { skip: requires(...NEEDS) }, async (t) => {
  const installation = await StoryInstallation.start(t);
  const { nginx, receiver, ports } = installation;
  const ada = installation.visitor();
  const home = `${installation.originOf('wiki')}/`;
  assert.equal((await ada.signIn(home, 'ada', 'password')).status, 200);
  const cookie = ada.cookieHeader(HOST);

  for (const [what, status, code, bytes, serverName = HOST] of cases(ports.people, cookie)) {
    await t.test(`${what}: ${status} ${code}`, async () => {
      const before = installation.events().length;
      const { statuses, closed, text } = await sendRaw(installation, bytes, serverName, UNTIL_CLOSED);
      assert.deepEqual(statuses, [status], `one answer and no more: ${text.slice(0, 300)}`);
      assert.ok(closed, 'the connection is over');
      const events = await until('its event', () => {
        // The log may happen to sign what came before.
        const later = installation.events().slice(before);
        const since = later.filter(({ event }) => event.action !== 'ledger-checkpoint');
        return since.length > 0 && since;
      });
      // Bytes behind a refused request may be no request themselves: that is told once more, and then no more.
      assert.deepEqual([events[0]?.event.action, events[0]?.event.code], ['request-refused', code]);
      assert.ok(events.length <= 2, `${events.length} events`);
    });
  }

  await t.test('the app’s log shows the visit before and the one after, and nothing between', async () => {
    assert.equal((await ada.ask(`${home}marker`)).status, 404);
    assert.deepEqual(
      nginx.log().map(({ request }) => request),
      ['GET / HTTP/1.1', 'GET /marker HTTP/1.1'],
    );
    assert.deepEqual(receiver.seen, []);
  });
});
