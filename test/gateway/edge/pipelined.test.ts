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
import { peopleListener } from '#gateway/edge/people-listener';
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
      unparsable: (_socket, code) => void taken.push(code),
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
