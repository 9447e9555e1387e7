// The admin socket where everybody on the machine may connect: who keeps connections open keeps no admin out.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { adminSchema } from '#gateway/console/config';
import { listenForAdmins } from '#gateway/console/socket';

interface Door {
  readonly path: string;
  /** Connects, says that, and stays. */
  hold(text: string): Promise<Socket>;
  /** Resolves once so many requests have been heard of. */
  heard(count: number): Promise<void>;
  /** The status of a request of somebody who comes now. */
  asked(): Promise<number | undefined>;
}

/** A socket whose handler never answers what asks for `/slow`. */
async function opened(t: TestContext): Promise<Door> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-socket-'));
  const path = join(directory, 'admin.sock');
  const admin = adminSchema.parse({ signers: '/dev/null', socket: path, roles: {} });
  let heard = 0;
  const server = await listenForAdmins({ state: directory, admin }, async (asked, response) => {
    heard += 1;
    const whole = await once(asked.resume(), 'end').catch(() => undefined);
    if (asked.url === '/slow') await new Promise(() => {});
    if (whole !== undefined) response.end('here');
  });
  const held: Socket[] = [];
  t.after(() => {
    for (const socket of held) socket.destroy();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    path,
    async hold(text) {
      const socket = connect(path);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(text);
      held.push(socket);
      return socket;
    },
    async heard(count) {
      while (heard < count) await nextTurn();
    },
    asked: () =>
      new Promise((resolve, reject) => {
        request({ socketPath: path, path: '/', agent: false }, (response) => resolve(response.statusCode))
          .on('error', reject)
          .end();
      }),
  };
}

test('connections that ask for nothing give way to whoever asks', async (t) => {
  const { path, hold, asked } = await opened(t);
  assert.equal(statSync(path).mode & 0o777, 0o666);
  const slow = await hold('GET /slow HTTP/1.1\r\nHost: admin\r\n\r\n');
  for (let i = 0; i < 200; i += 1) await hold('GET / HTTP/1.1\r\nHo');
  assert.equal(await asked(), 200);
  assert.equal(slow.destroyed, false, 'what is asked for is answered in peace');
});

test('so do those whose request does not go on, and nobody sends requests without end ahead of the answers', async (t) => {
  const { hold, asked, heard } = await opened(t);
  for (let i = 0; i < 64; i += 1)
    await hold('POST /v1/revocations HTTP/1.1\r\nHost: admin\r\nContent-Length: 5000\r\n\r\n{');
  await heard(64);
  assert.equal(await asked(), 200);
  const eager = await hold('GET /slow HTTP/1.1\r\nHost: admin\r\n\r\n'.repeat(40));
  await once(eager, 'close');
});

test('nothing is taken away to make room for it but the socket of a gateway that is gone', async (t) => {
  const { path, asked } = await opened(t);
  const directory = dirname(path);
  const at = (socket: string) => ({
    state: directory,
    admin: adminSchema.parse({ signers: '/dev/null', socket, roles: {} }),
  });
  const listen = async (socket: string) => {
    const server = await listenForAdmins(at(socket), async (_, response) => void response.end('there'));
    t.after(() => server.close());
    return server;
  };
  await assert.rejects(listen(path), { code: 'admin-socket-path', message: /another gateway answers there/ });
  assert.equal(await asked(), 200, 'and it goes on');
  const precious = join(directory, 'precious');
  writeFileSync(precious, 'precious');
  symlinkSync(precious, join(directory, 'link'));
  for (const name of ['precious', 'link', '.'])
    await assert.rejects(listen(join(directory, name)), { message: /is no socket: move it away/ });
  assert.equal(readFileSync(precious, 'utf8'), 'precious');
  // As a killed gateway leaves it.
  const left = join(directory, 'left');
  const script = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(statSync(left).isSocket());
  assert.ok((await listen(left)).listening);
});
