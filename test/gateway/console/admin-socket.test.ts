// The admin socket where everybody on the machine may connect: who keeps connections open keeps no admin out.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ADMIN_TIMES, listenForAdmins } from '#gateway/console/admin';
import { adminSchema } from '#gateway/console/config';

test('connections that ask for nothing give way to whoever asks', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-socket-'));
  const socketPath = join(directory, 'admin.sock');
  const server = createServer(ADMIN_TIMES, (asked, response) => {
    if (asked.url !== '/slow') response.end('here');
  });
  const admin = adminSchema.parse({ signers: '/dev/null', socket: socketPath, roles: {} });
  await listenForAdmins(server, { state: directory, admin });
  const held: Socket[] = [];
  t.after(() => {
    for (const socket of held) socket.destroy();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  assert.equal(statSync(socketPath).mode & 0o777, 0o666);
  const hold = async (text: string): Promise<Socket> => {
    const socket = connect(socketPath);
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(text);
    held.push(socket);
    return socket;
  };
  const slow = await hold('GET /slow HTTP/1.1\r\nHost: admin\r\n\r\n');
  for (let i = 0; i < 200; i += 1) await hold('GET / HTTP/1.1\r\nHo');
  const status = await new Promise((resolve, reject) => {
    request({ socketPath, path: '/', agent: false }, (response) => resolve(response.statusCode))
      .on('error', reject)
      .end();
  });
  assert.equal(status, 200);
  assert.equal(slow.destroyed, false, 'what is asked for is answered in peace');
});
