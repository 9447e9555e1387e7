// Classes of weaknesses that were published of gateways, proxies and the libraries below them, tried here: paths, headers,
// framing and hosts. What the app received is told by the app.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canonicalAddress } from '#gateway/edge/address';
import { type FuzzInstallation, HOST, startFuzzInstallation } from '#test/fuzz/bed/installation';
import { ask, type Outcome, OWN_ANSWER, request } from './ask.ts';

let installation: FuzzInstallation;
before(async () => {
  installation = await startFuzzInstallation();
});
after(() => installation.close());

const get = (target: string, ...headers: string[]): Promise<Outcome> =>
  ask(installation, request(installation, `GET ${target}`, headers));

async function refused(target: string, status = 400): Promise<void> {
  const { statuses, arrived } = await get(target);
  assert.deepEqual([statuses, arrived], [[status], []], target);
}

describe('path confusion', () => {
  test('path confusion: dot segments, raw and encoded, are refused', async () => {
    for (const target of [
      '/open/../elsewhere',
      '/open/%2e%2e/elsewhere',
      '/open/.%2E/x',
      '/open/..;/x',
      '/open/./x',
      '/..',
    ])
      await refused(target);
  });
  test('path confusion: encoded slashes, backslashes and NUL are refused', async () => {
    for (const target of ['/open%2felsewhere', '/open/..%2Fx', '/open%5cx', '/open/%00', '/open/..%5c..%5cx'])
      await refused(target);
  });
  test('path confusion: a fragment is refused, and its encoded sign is a character like others', async () => {
    for (const target of ['/open/x#y', '/elsewhere#/open/x', '/open/x?y#z']) await refused(target);
    const { arrived } = await get('/open/x%23y');
    assert.equal(arrived[0]?.target, '/open/x%23y');
    await refused('/elsewhere%23/open/x', 403);
  });
  test('path confusion: a wildcard matches every character that a path may have', async () => {
    for (const character of "azAZ09-._~!$&'()*+,;=:@") {
      const { statuses, arrived } = await get(`/open/a${character}b`);
      assert.deepEqual([statuses, arrived[0]?.target], [[200], `/open/a${character}b`], character);
    }
  });
  test('path confusion: what is decided on is what the app gets, byte for byte', async () => {
    for (const [sent, got] of [
      ['/open/%61%7e', '/open/a~'],
      ['/open/caf%c3%a9', '/open/caf%C3%A9'],
      ['/open/a%20b/%25', '/open/a%20b/%25'],
      ['/open/x?a=/../b&c=%2e%2e//', '/open/x?a=/../b&c=%2e%2e//'],
      [`https://${HOST}/open/absolute`, '/open/absolute'],
    ]) {
      const { arrived, recorded } = await get(String(sent));
      assert.equal(arrived[0]?.target, got);
      assert.ok(recorded.includes('access-allowed allowed'), String(recorded));
    }
  });
  test('path confusion: a rule sees the path alone, never the query', async () => {
    for (const target of [
      '/elsewhere?/open/x',
      '/elsewhere?x=/open/**',
      '/?/open/',
      '/elsewhere?%2fopen%2fx',
    ])
      await refused(target, 403);
  });
  test('path confusion: nothing rewrites a path after the decision', async () => {
    const { arrived, recorded } = await get('/open/strip/../prefix'.replace('/..', ''));
    assert.equal(arrived[0]?.target, '/open/strip/prefix');
    assert.ok(recorded.includes('access-allowed allowed'), String(recorded));
  });
  test('path confusion: letters in another case reach nothing that is denied', async () => {
    for (const target of [
      '/open/shut/x',
      '/open/Shut/x',
      '/OPEN/SHUT/x',
      '/open/shut;a=b/x',
      '/open/sh%55t/x',
      '/Open/x',
    ]) {
      const { arrived } = await get(target);
      assert.deepEqual(arrived, [], target);
    }
  });
  test('path confusion: backslashes and repeated slashes are refused', async () => {
    for (const target of ['/open\\x', '/\\evil.example/', '//evil.example/open/x', '/open//x', '/open/;/x'])
      await refused(target);
  });
  test('path confusion: our own pages are behind the same front', async () => {
    for (const target of ['/%2e%2e/', '//sign-out', '/cli/../sign-out', '/sign-in#x', '/sign-in\\x']) {
      const bytes = `GET ${target} HTTP/1.1\r\nHost: access.localhost\r\n\r\n`;
      assert.deepEqual((await ask(installation, bytes, 'access.localhost')).statuses, [400], target);
    }
  });
});

describe('header smuggling', () => {
  const IDENTITY = [
    'X-Sallyport-Assertion',
    'X.Sallyport.Assertion',
    'X-Forwarded-User',
    'X-Forwarded-Prefix',
    'X-Forwarded-Port',
  ];
  const MORE = [
    'X-Forwarded-Uri',
    'X-Original-URL',
    'Forwarded',
    'X-Real-IP',
    'X-Envoy-Internal',
    'X-Goog-IAP-JWT-Assertion',
    'Remote-User',
  ];

  test('header smuggling: a name with an underscore is refused', async () => {
    const { statuses, recorded } = await get('/open/x', 'X_Forwarded_User: root');
    assert.deepEqual([statuses, recorded.includes('request-refused header-name')], [[400], true]);
  });
  test('header smuggling: a client’s copy of an identity header never passes, in any spelling', async () => {
    for (const name of [
      ...IDENTITY,
      ...MORE,
      ...IDENTITY.map((one) => one.toLowerCase()),
      'X.Forwarded.For',
    ]) {
      const { arrived } = await get('/open/x', `${name}: spoofed`);
      assert.ok(arrived[0] !== undefined && !JSON.stringify(arrived[0].headers).includes('spoofed'), name);
    }
  });
  test('header smuggling: forwarding headers are made from the socket', async () => {
    const { arrived } = await get(
      '/open/x',
      'X-Forwarded-For: 10.0.0.1',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Host: evil.example',
    );
    const sent = new Map(arrived[0]?.headers ?? []);
    assert.deepEqual(
      ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'].map((name) => sent.get(name)),
      ['192.0.2.44', 'https', HOST],
    );
  });
  test('header smuggling: no header changes which path is decided on', async () => {
    for (const name of [
      'X-Forwarded-Uri',
      'X-Original-URL',
      'X-Rewrite-URL',
      'X-HTTP-Method-Override',
      'X-Forwarded-Prefix',
    ]) {
      const { statuses, arrived } = await get('/elsewhere', `${name}: /open/x`);
      assert.deepEqual([statuses, arrived], [[403], []], name);
    }
  });
  test('header smuggling: no User-Agent and no network address is an identity', async () => {
    for (const line of [
      'User-Agent: GoogleHC/1.0',
      'User-Agent: kube-probe/1.30',
      'X-Envoy-Internal: true',
      'X-Forwarded-For: 127.0.0.1',
    ]) {
      const bytes = `GET /open/x HTTP/1.1\r\nHost: ${HOST}\r\n${line}\r\n\r\n`;
      const { statuses, arrived } = await ask(installation, bytes);
      assert.deepEqual([statuses, arrived], [[401], []], line);
    }
  });
  test('header smuggling: Connection cannot name what the gateway adds', async () => {
    const named =
      'Connection: x-sallyport-assertion, X-Forwarded-For, host, content-length, cookie, traceparent';
    const { arrived } = await get('/open/x', named);
    const names = (arrived[0]?.headers ?? []).map(([name]) => name);
    for (const name of ['x-sallyport-assertion', 'x-forwarded-for', 'host', 'traceparent'])
      assert.ok(names.includes(name), name);
  });
  test('header smuggling: a header that is read may come once', async () => {
    for (const line of [
      'Cookie: a=b',
      'Host: wiki.localhost',
      'Origin: https://a',
      'User-Agent: a',
      'Referer: https://a',
    ]) {
      const { statuses, arrived } = await get('/open/x', line, line);
      assert.deepEqual([statuses, arrived], [[400], []], line);
    }
  });
  test('header smuggling: a client’s address has one form', () => {
    assert.equal(canonicalAddress('::ffff:192.0.2.1'), '192.0.2.1');
    assert.equal(canonicalAddress('::ffff:c000:201'), '192.0.2.1');
    assert.equal(canonicalAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1');
    assert.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1');
  });
});

describe('message smuggling', () => {
  test('message smuggling: one request that is read is one request that is sent', async () => {
    const inner = request(installation, 'GET /open/inner');
    const { arrived, statuses } = await ask(
      installation,
      request(installation, 'POST /open/outer', [`Content-Length: ${inner.length}`], inner),
    );
    assert.deepEqual([statuses, arrived.map(({ target }) => target)], [[200], ['/open/outer']]);
    for (const framing of [
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
      ['Transfer-Encoding: xchunked'],
      ['Content-Length: 4', 'content-length: 5'],
      ['Transfer-Encoding : chunked'],
      ['Content-Length: 4\rX: y'],
    ]) {
      const outcome = await ask(
        installation,
        request(installation, 'POST /open/x', framing, `0\r\n\r\n${inner}`),
      );
      assert.deepEqual([outcome.statuses, outcome.arrived], [[400], []], framing.join());
    }
  });
  test('message smuggling: a body over the limit of our own pages is cut, in chunks too', async () => {
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    for (const [framing, body] of [
      ['Transfer-Encoding: chunked', chunk.repeat(6)],
      ['Content-Length: 90000', 'x'.repeat(90_000)],
    ] as const) {
      const bytes = `POST /cli/token HTTP/1.1\r\nHost: access.localhost\r\n${framing}\r\n\r\n${body}`;
      assert.deepEqual((await ask(installation, bytes, 'access.localhost')).statuses, [413], framing);
    }
  });
  test('message smuggling: nothing of ours may be kept by a cache, or read by another site', async () => {
    for (const [target, host] of [
      ['/', 'access.localhost'],
      ['/sign-in', 'access.localhost'],
      ['/open/x', HOST],
      ['/.sallyport/enter', HOST],
    ] as const) {
      const bytes = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/html\r\nOrigin: https://evil.example\r\nVary: *\r\n\r\n`;
      const { text } = await ask(installation, bytes, host);
      for (const header of OWN_ANSWER) assert.match(text, header, target);
      assert.doesNotMatch(text, /script-src|unsafe-|<script|\son[a-z]+=|javascript:|style="/i, target);
      assert.doesNotMatch(text, /access-control-|^vary:/im, target);
    }
    // Nor what is said to bytes that are no request.
    const { text } = await ask(installation, `GET /open/x HTTP/1.1\r\nHost : ${HOST}\r\n\r\n`);
    assert.match(text, /^HTTP\/1\.1 400 /);
    for (const header of OWN_ANSWER) assert.match(text, header);
  });
  test('message smuggling: a body is carried as it is, never decoded', async () => {
    const { arrived } = await ask(
      installation,
      request(
        installation,
        'POST /open/x',
        ['Content-Encoding: br, gzip, deflate', 'Content-Length: 4'],
        '\x1f\x8b\xff\x00',
      ),
    );
    assert.equal(new Map(arrived[0]?.headers).get('content-encoding'), 'br, gzip, deflate');
  });
});

describe('host confusion', () => {
  test('host confusion: every pair of TLS name, host, case, dot and port has one answer', async () => {
    const served = [HOST, 'access.localhost'];
    for (const name of [
      HOST,
      'WIKI.localhost',
      'access.localhost',
      'wiki.localhost.',
      'other.localhost',
      false,
    ] as const) {
      for (const host of [
        HOST,
        'Wiki.LOCALHOST',
        'access.localhost',
        'wiki.localhost.',
        'other.localhost',
        `${HOST}:1`,
        `a@${HOST}`,
        '',
      ]) {
        const bytes = `GET /open/x HTTP/1.1\r\nHost: ${host}\r\nCookie: ${installation.cookie}\r\n\r\n`;
        const { statuses, arrived } = await ask(installation, bytes, name);
        const malformed = /^$|@|\.$/.test(host);
        const plain = host.toLowerCase();
        const same = name !== false && name.toLowerCase() === plain.replace(/:1$/, '');
        const want = malformed ? 400 : !same || !served.includes(plain) ? 421 : plain === HOST ? 200 : 404;
        assert.deepEqual(statuses, [want], `${name} ${host}`);
        assert.equal(arrived.length, want === 200 ? 1 : 0, `${name} ${host}`);
      }
    }
  });
});
