// What is sent behind a request that is not answered yet: nothing that would be done for nobody, and nothing that would
// be answered in its place.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import type { Exchange } from '#gateway/edge/exchange';
import { peopleListener, refuseBare } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

/** A listener, what it took, and a connection to it. */
async function listening(
  t: TestContext,
  take: (exchange: Exchange) => void,
): Promise<{ taken: string[]; socket: TLSSocket; answer: () => string }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-pipelined-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const taken: string[] = [];
  const { server } = peopleListener(
    await issueCertificate(authority, ['localhost']),
    { connections: 100, perAddress: 100 } as Parameters<typeof peopleListener>[1],
    {
      take: (exchange) => {
        taken.push(String(exchange.request.url));
        take(exchange);
      },
      unparsable: (socket, code) => {
        taken.push(code);
        refuseBare(socket, code);
      },
    },
  );
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.certificate });
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1');
  });
  return { taken, socket, answer: () => answer };
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';

test('an upgrade behind a request under way ends its connection', async (t) => {
  const { taken, socket, answer } = await listening(t, () => {});
  socket.write(get('/one') + get('/two', UPGRADE));
  await once(socket, 'close');
  assert.deepEqual(taken, ['/one', 'ERR_HTTP_UPGRADE_PIPELINED']);
  assert.equal(answer(), '');
});

test('nothing is taken behind a request whose answer ends the connection', async (t) => {
  const { taken, socket, answer } = await listening(t, ({ request, response }) => {
    // As the flow does with a refusal: decided at once, said later, when what was asked before is answered.
    if (request.url === '/refused') response.shouldKeepAlive = false;
    setTimeout(() => response.end(request.url), request.url === '/one' ? 20 : 5);
  });
  socket.write(get('/one') + get('/refused') + get('/three') + get('/four', UPGRADE));
  await once(socket, 'close');
  assert.deepEqual(taken, ['/one', '/refused']);
  assert.equal(answer().match(/HTTP\/1\.1 200/g)?.length, 2);
});

test('what is asked behind a request that may change something waits for its answer; what only reads does not', async (t) => {
  const told: string[] = [];
  const { socket, answer } = await listening(t, ({ request, response }) => {
    const { method, url } = request;
    told.push(`${method} ${url}`);
    request.resume();
    setTimeout(() => response.end(`${url};`), url === '/last' ? 0 : 30);
    if (url !== '/last') response.once('finish', () => told.push(`${url} answered`));
  });
  const put = (path: string): string => get(path, 'Content-Length: 2\r\n').replace('GET', 'PUT').concat('ok');
  socket.write(get('/1') + get('/2') + put('/3') + get('/4') + get('/5') + put('/last'));
  while (!answer().includes('/last;')) await once(socket, 'data');
  assert.deepEqual(told, [
    ...['GET /1', 'GET /2', '/1 answered', '/2 answered', 'PUT /3', '/3 answered'],
    ...['GET /4', '/4 answered', 'GET /5', '/5 answered', 'PUT /last'],
  ]);
  socket.destroy();
});

for (const [what, rest] of [
  ['no request', 'no request\r\n\r\n'],
  [
    'a request that breaks off in its body',
    `POST ${get('/two', 'Transfer-Encoding: chunked\r\n').slice(4)}x\r\n`,
  ],
] as const) {
  test(`${what} behind one that is whole is refused when that is answered, and not in its place`, async (t) => {
    const { socket, answer } = await listening(t, ({ request, response }) => {
      request.resume();
      if (request.url === '/one') setTimeout(() => response.end('done'), 50);
    });
    socket.write(get('/one') + rest);
    // What is said after the refusal changes nothing.
    setTimeout(() => socket.write('more'), 20);
    await once(socket, 'close');
    assert.match(answer(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*doneHTTP\/1\.1 400 /);
  });
}

test('what comes behind the last request of a connection does not cost its answer', async (t) => {
  const { taken, socket, answer } = await listening(t, ({ response }) => {
    setTimeout(() => response.end('done'), 50);
  });
  socket.write(get('/one', 'Connection: close\r\n') + get('/two'));
  await once(socket, 'close');
  assert.match(answer(), /^HTTP\/1\.1 200 OK\r\n[\s\S]*done$/);
  assert.equal(taken[0], '/one');
  assert.ok(!taken.includes('/two'));
});
