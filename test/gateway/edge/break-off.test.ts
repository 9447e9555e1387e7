// A connection that is broken off looks broken, over TLS as over TCP.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { breakOff } from '#gateway/edge/break-off';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

test('whoever reads over TLS is told of a break', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-break-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const server = createServer(await issueCertificate(authority, ['localhost']), (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => breakOff(socket));
    socket.write('half');
  });
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.certificate });
  const [half] = (await once(client, 'data')) as [Buffer];
  assert.equal(half.toString(), 'half');
  client.write('x');
  await assert.rejects(once(client, 'end'), { code: 'ECONNRESET' });
});
