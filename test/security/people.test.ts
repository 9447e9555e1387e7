// Classes of weaknesses that were published of gateways, tried here: sign-in, redirects, sessions, foreign pages, floods
// and logs. What the app received is told by the app.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { WEBSOCKET_OPTIONS } from '#connectors/wire/limits';
import { healthListener } from '#gateway/console/health';
import { newSecret } from '#gateway/identity/cookies';
import { type FuzzInstallation, HOST, startFuzzInstallation } from '#test/fuzz/bed/installation';
import { Line } from '#test/fuzz/bed/line';
import { ask, request } from './ask.ts';

const PORTAL = 'access.localhost';

let installation: FuzzInstallation;
before(async () => {
  installation = await startFuzzInstallation();
});
after(() => installation.close());

const portal = (line: string, ...headers: string[]): ReturnType<typeof ask> =>
  ask(installation, `${[`${line} HTTP/1.1`, `Host: ${PORTAL}`, ...headers].join('\r\n')}\r\n\r\n`, PORTAL);
const cookieOf = (host: string): string => `Cookie: ${installation.visitor.cookieHeader(host)}`;

describe('sign-in', () => {
  test('sign-in: a callback without, with doubled or with endless parameters is refused in words', async () => {
    for (const query of [
      '',
      '?',
      '?code=x',
      '?state=',
      '?state=a&state=b',
      '?code',
      `?state=${'x'.repeat(4000)}`,
      '?error=x&state=%00',
      '?state=__proto__',
    ]) {
      const { statuses, recorded } = await portal(`GET /callback/corp${query}`);
      assert.deepEqual(statuses, [400], query);
      assert.ok(
        recorded.some((line) => line.startsWith('login-failed')),
        query,
      );
    }
    assert.deepEqual((await portal('GET /callback/nobody?state=x')).statuses, [400]);
    assert.deepEqual((await portal('GET /callback/__proto__?state=x')).statuses, [400]);
  });
  test('sign-in: a cookie is a key that must be known, not a sign of being signed in', async () => {
    const [pair = ''] = /__Host-sallyport=[\w-]+/.exec(installation.cookie) ?? [];
    const forged = [
      `__Host-sallyport=${newSecret()}`,
      '__Host-sallyport=',
      `__Host-sallyport=${'A'.repeat(43)}`,
      `${pair}x`,
      `${pair}; ${pair}`,
      pair.toLowerCase(),
      cookieOf(PORTAL).slice(8),
    ];
    for (const cookie of forged) {
      const { statuses, arrived } = await ask(
        installation,
        `GET /open/x HTTP/1.1\r\nHost: ${HOST}\r\nCookie: ${cookie}\r\n\r\n`,
      );
      assert.deepEqual([statuses, arrived], [[401], []], cookie);
    }
    assert.deepEqual((await ask(installation, request(installation, 'GET /open/x'))).statuses, [200]);
  });
  test('redirects: only our own hosts and paths, however they are written', async () => {
    const start = 'A'.repeat(43);
    for (const wish of [
      'host=evil.example&path=/',
      'host=wiki.localhost.evil.example&path=/',
      'host=wiki.localhost&path=//evil.example',
      'host=wiki.localhost&path=/%5Cevil.example',
      'host=wiki.localhost&path=/%09/evil.example',
      'host=wiki.localhost&path=https://evil.example',
      'host=wiki.localhost@evil.example&path=/',
      'host=wiki.localhost%00.evil.example&path=/',
      'host=wiki%E3%80%82localhost&path=/',
      'path=//evil.example',
      'path=@evil.example',
    ]) {
      const { text } = await portal(`GET /sign-in?${wish}&start=${start}`, cookieOf(PORTAL));
      const [, location = ''] = /^location: (.*)\r$/im.exec(text) ?? [];
      const { hostname, pathname } = new URL(location);
      assert.ok([PORTAL, HOST].includes(hostname), `${wish} leads to ${location}`);
      assert.ok(['/', '/.sallyport/enter'].includes(pathname), `${wish} leads to ${location}`);
    }
  });
});

describe('foreign pages', () => {
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];

  test('foreign pages: a WebSocket opens for the app’s own origin alone', async () => {
    for (const origin of [
      'https://evil.example',
      'null',
      `http://${HOST}`,
      `https://${HOST}.evil.example`,
      `https://${PORTAL}`,
      '',
    ]) {
      const { statuses, arrived } = await ask(
        installation,
        request(installation, 'GET /open/ws', [...upgrade, `Origin: ${origin}`]),
      );
      assert.deepEqual([statuses, arrived], [[403], []], origin);
    }
  });
  test('foreign pages: a form of ours from elsewhere changes nothing', async () => {
    for (const headers of [['Origin: https://evil.example'], ['Origin: null'], []]) {
      const { statuses } = await portal('POST /sign-out', 'Content-Length: 0', cookieOf(PORTAL), ...headers);
      assert.deepEqual(statuses, [403]);
    }
    assert.deepEqual((await ask(installation, request(installation, 'GET /open/x'))).statuses, [200]);
  });
  test('foreign pages: health answers neither a foreign host name nor a page', async () => {
    const health = healthListener({ condition: () => ({ ailments: [], warnings: [] }), metrics: () => '' });
    health.listen(0, '127.0.0.1');
    await once(health, 'listening');
    const { port } = health.address() as AddressInfo;
    const line = (...headers: string[]): Promise<string> => {
      const socket = new (class extends Line {})('');
      health.emit('connection', socket);
      socket.say(Buffer.from(`GET /livez HTTP/1.1\r\n${headers.join('\r\n')}\r\nConnection: close\r\n\r\n`));
      return once(socket, 'finish').then(() => socket.text);
    };
    assert.match(await line(`Host: 127.0.0.1:${port}`), /^HTTP\/1\.1 200 /);
    assert.match(await line('Host: rebound.evil.example'), /^HTTP\/1\.1 403 /);
    assert.match(await line(`Host: 127.0.0.1:${port}`, 'Origin: https://evil.example'), /^HTTP\/1\.1 403 /);
    health.close();
  });
});

describe('floods', () => {
  test('floods: heads are capped, cookies and all', async () => {
    for (const lines of [
      [`Cookie: ${'a=b; '.repeat(5000)}`],
      Array.from({ length: 30 }, (_, index) => `X-${index}: ${'x'.repeat(1000)}`),
      Array.from({ length: 101 }, (_, index) => `X-${index}: y`),
    ]) {
      const { statuses, arrived } = await ask(
        installation,
        `GET /open/x HTTP/1.1\r\nHost: ${HOST}\r\n${lines.join('\r\n')}\r\n\r\n`,
      );
      assert.deepEqual([statuses, arrived], [[431], []]);
    }
  });
  test('floods: chunk extensions without an end are cut', async () => {
    const bytes = request(
      installation,
      'POST /open/x',
      ['Transfer-Encoding: chunked'],
      `1;${'a=b;'.repeat(10_000)}`,
    );
    const { statuses, text } = await ask(installation, bytes);
    assert.ok(statuses.length <= 1 && !/ 200 /.test(text), text.slice(0, 100));
  });
  test('floods: names that other objects have are names like others', async () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
      const { statuses } = await ask(
        installation,
        request(installation, 'GET /open/x', [`${name.replaceAll('_', '-')}: x`]),
      );
      assert.deepEqual(statuses, [200], name);
      assert.deepEqual(
        (await ask(installation, request(installation, 'GET /open/x', [`${name}: x`]))).statuses,
        [name.includes('_') ? 400 : 200],
      );
    }
    const body = '{"__proto__":{"code":"x"},"constructor":{"prototype":{}},"code":"x"}';
    const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`];
    const { statuses } = await ask(
      installation,
      `POST /cli/token HTTP/1.1\r\nHost: ${PORTAL}\r\n${headers.join('\r\n')}\r\n\r\n${body}`,
      PORTAL,
    );
    assert.deepEqual(statuses, [400]);
  });
  test('floods: keys that collide and values that nest cost no more than their bytes', async () => {
    const colliding = JSON.stringify(
      Object.fromEntries(Array.from({ length: 3500 }, (_, index) => [String(index * 2 ** 17), 0])),
    );
    for (const body of [colliding, '['.repeat(60_000), `{"a":${'{"a":'.repeat(8000)}`]) {
      const before = process.threadCpuUsage();
      const head = `POST /cli/token HTTP/1.1\r\nHost: ${PORTAL}\r\nContent-Length: ${body.length}\r\n\r\n`;
      assert.deepEqual((await ask(installation, head + body, PORTAL)).statuses, [400]);
      const { user, system } = process.threadCpuUsage(before);
      assert.ok(user + system < 1_000_000, `${user + system} µs`);
    }
  });
  test('floods: a million fragments of a WebSocket message hold no memory', async () => {
    const server = new WebSocketServer({ noServer: true, ...WEBSOCKET_OPTIONS });
    const line = new Line('gateway');
    const headers = {
      upgrade: 'websocket',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-version': '13',
    };
    type Upgrade = Parameters<WebSocketServer['handleUpgrade']>[0];
    let code = 0;
    server.handleUpgrade(
      { method: 'GET', headers, url: '/' } as unknown as Upgrade,
      line,
      Buffer.alloc(0),
      (ws) => {
        ws.on('error', (error: Error & { code?: string }) => {
          code = error.code === undefined ? 1 : 2;
        });
      },
    );
    const before = process.memoryUsage().rss;
    const fragment = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x61]);
    line.say(Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x61]));
    const many = Buffer.concat(Array.from({ length: 1000 }, () => fragment));
    for (let sent = 0; sent < 1000 && !line.destroyed; sent += 1) {
      line.say(many);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.notEqual(code, 0, 'the message was given up');
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grown < 64, `${grown} MiB`);
    line.destroy();
    server.close();
  });
});

describe('logs', () => {
  test('logs: whatever a client says of itself stays one line of the record', async () => {
    const nasty = ['\u001b[2J', '\u2028', '\u0085', '"}\\n{"event"', '%24{jndi:ldap://x}', '\xff\xfe'];
    for (const word of nasty) {
      // What Node's parser refuses is tried below.
      const latin1 = [...Buffer.from(word, 'utf8').toString('latin1')].filter((one) => one >= ' ').join('');
      installation.events();
      await ask(
        installation,
        request(installation, 'GET /open/x', [`User-Agent: ${latin1}`, `Referer: ${latin1}`]),
      );
    }
    // `events` reads line by line and parses each: a line that was broken would not have been read.
    const outcome = await ask(
      installation,
      request(installation, 'GET /open/x', ['User-Agent: a\r\nX-B: c']),
    );
    assert.ok(outcome.recorded.includes('access-allowed allowed'));
    for (const name of ['evil\r\n{"a":1}', '\u001b[31mred', 'x'.repeat(300)]) {
      const { statuses } = await ask(installation, `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, name);
      assert.deepEqual(statuses, [421]);
    }
  });
  test('logs: a fresh installation has no account, no password and no grant', () => {
    const said = JSON.stringify(installation.events());
    assert.doesNotMatch(said, /password|secret/i);
    assert.deepEqual(installation.complaints, []);
  });
});
