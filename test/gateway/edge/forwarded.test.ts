// What an app receives: nothing a client said in our name, in whatever spelling.
import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { forwardHeaders, forwardTrailers, traceOf, withoutOwnCookies } from '#gateway/edge/forwarded';

const FROM = {
  address: '192.0.2.7',
  decisionId: 'decision-1',
  traceparent: '00-a-b-01',
};

function request(...headers: [string, string][]): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  for (const [name, value] of [['Host', 'wiki.example.com'] as [string, string], ...headers]) {
    message.rawHeaders.push(name, value);
    message.headers[name.toLowerCase()] = value;
  }
  return message;
}

/** Values of a header, its name folded as a CGI-like back end would. */
function valuesOf(headers: readonly string[], folded: string): string[] {
  return headers.filter(
    (_, i) => i % 2 === 1 && headers[i - 1]?.toLowerCase().replaceAll(/[_.]/g, '-') === folded,
  );
}

describe('headers that speak in our name are replaced or dropped', () => {
  const spoofs = [
    'X-Sallyport-Assertion',
    'x-sallyport-assertion',
    'X.Sallyport.Assertion',
    'X-Forwarded-For',
    'x-forwarded-user',
    'X.Forwarded-For',
    'Forwarded',
    'X-Real-IP',
    'X-Goog-IAP-JWT-Assertion',
    'X-Pomerium-Jwt-Assertion',
    'Cf-Access-Jwt-Assertion',
    'X-Auth-Request-User',
    'Remote-User',
    'Remote-Groups',
    'X-Remote-User',
    'X-Remote-Group',
    'X-Remote-Extra-Scopes',
    'X-WebAuth-Groups',
    'X-Authenticated-Userid',
    'Tailscale-User-Login',
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Envoy-Internal',
    'X-Forwarded-Prefix',
    'X-HTTP-Method-Override',
    'X-Request-Id',
    'traceparent',
    'X-SSL-Client-CN',
    'Via',
  ];
  for (const name of spoofs) {
    test(name, () => {
      const headers = forwardHeaders(request([name, 'spoofed']), FROM, false);
      assert.ok(!headers.includes('spoofed'), `${name} reached the app`);
    });
  }

  test('ours are there exactly once', () => {
    const headers = forwardHeaders(
      request(['X-Forwarded-For', '10.0.0.1'], ['X-Sallyport-Assertion', 'x']),
      FROM,
      false,
    );
    assert.deepEqual(valuesOf(headers, 'x-forwarded-for'), ['192.0.2.7']);
    assert.deepEqual(valuesOf(headers, 'x-sallyport-assertion'), [], 'ours is added when the way is chosen');
    assert.deepEqual(valuesOf(headers, 'x-forwarded-host'), ['wiki.example.com']);
    assert.deepEqual(valuesOf(headers, 'host'), ['wiki.example.com']);
  });
});

test('a client cannot have our headers dropped by naming them in Connection', () => {
  const headers = forwardHeaders(
    request(['Connection', 'close, X-Sallyport-Assertion, Host, x-forwarded-for']),
    FROM,
    false,
  );
  assert.deepEqual(valuesOf(headers, 'x-forwarded-for'), ['192.0.2.7']);
  assert.deepEqual(valuesOf(headers, 'host'), ['wiki.example.com']);
});

test('hop-by-hop headers stay on their hop, also those that Connection names', () => {
  const headers = forwardHeaders(
    request(
      ['Connection', 'X-Private'],
      ['X-Private', 'a'],
      ['Keep-Alive', 'b'],
      ['TE', 'c'],
      ['Proxy-Authorization', 'd'],
    ),
    FROM,
    false,
  );
  for (const value of ['a', 'b', 'c', 'd']) assert.ok(!headers.includes(value));
});

test('that trailers are taken, and which will come, is true of the whole way', () => {
  const sent = (...headers: [string, string][]): string[] => forwardHeaders(request(...headers), FROM, false);
  const chunked: [string, string] = ['Transfer-Encoding', 'chunked'];
  assert.deepEqual(valuesOf(sent(['TE', 'gzip;q=0.5, Trailers']), 'te'), ['trailers']);
  assert.deepEqual(valuesOf(sent(['TE', 'nontrailers']), 'te'), []);
  assert.deepEqual(valuesOf(sent(['Trailer', 'X-Sum'], chunked), 'trailer'), ['X-Sum']);
  assert.deepEqual(valuesOf(sent(['Trailer', 'X-Sum'], ['Content-Length', '1']), 'trailer'), []);
});

test('our cookies are taken out and the others left alone', () => {
  assert.equal(withoutOwnCookies('a=1; __Host-sallyport=s; b="x; y"'), 'a=1; b="x; y"');
  assert.equal(withoutOwnCookies('__Host-sallyport=s; __Host-sallyport-browser=t'), '');
  assert.equal(withoutOwnCookies('a=1;b=2'), 'a=1;b=2');
  const headers = forwardHeaders(request(['Cookie', '__Host-sallyport=secret']), FROM, false);
  assert.ok(!headers.some((text) => text.includes('secret')));
  assert.deepEqual(valuesOf(headers, 'cookie'), []);
});

test('an upgrade keeps its handshake', () => {
  const headers = forwardHeaders(
    request(['Connection', 'Upgrade'], ['Upgrade', 'websocket'], ['Sec-WebSocket-Key', 'k']),
    FROM,
    true,
  );
  assert.deepEqual(valuesOf(headers, 'upgrade'), ['websocket']);
  assert.deepEqual(valuesOf(headers, 'connection'), ['Upgrade']);
  assert.deepEqual(valuesOf(headers, 'sec-websocket-key'), ['k']);
});

test('a valid trace id is kept, anything else is replaced', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736';
  assert.equal(traceOf(request(['traceparent', `00-${id}-00f067aa0ba902b7-01`])).id, id);
  for (const bad of [
    '',
    'x',
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${id.toUpperCase()}-00f067aa0ba902b7-01`,
  ]) {
    const { id: made, parent } = traceOf(request(['traceparent', bad]));
    assert.notEqual(made, id);
    assert.match(parent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  }
});

test('a trailer cannot say what a header may not', () => {
  const said = [
    'X-Sallyport-Assertion',
    'x.forwarded.for',
    'X_User',
    'Content-Length',
    'Cookie',
    'Host',
    'X-User',
  ];
  assert.deepEqual(forwardTrailers([...said.flatMap((name) => [name, 'spoofed']), 'X-Digest', 'a']), [
    'X-Digest',
    'a',
  ]);
});

test('the host is passed on in lower case', () => {
  const headers = forwardHeaders(request(['Host', 'Wiki.Example.COM']), FROM, false);
  assert.ok(!headers.some((text) => text.includes('COM')));
});
