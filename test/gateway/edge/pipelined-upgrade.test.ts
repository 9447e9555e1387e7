// An upgrade sent behind a request that is not answered yet: nothing of it is taken, and nobody is answered in its place.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { peopleListener } from '#gateway/edge/people-listener';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

test('an upgrade behind a request under way ends its connection', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-upgrade-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const taken: string[] = [];
  const { server } = peopleListener(
    await issueCertificate(authority, ['localhost']),
    { connections: 100, perAddress: 100 } as Parameters<typeof peopleListener>[1],
    {
      take: ({ request }) => void taken.push(String(request.url)),
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
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  socket.write(
    `GET /one HTTP/1.1\r\nHost: localhost\r\n\r\nGET /two HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n`,
  );
  await once(socket, 'close');
  assert.deepEqual(taken, ['/one', 'ERR_HTTP_UPGRADE_PIPELINED']);
  assert.equal(answer, '');
});
