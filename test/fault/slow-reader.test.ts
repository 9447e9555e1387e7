// A client that stops reading while a gigabyte waits for it: nothing grows, and nobody else notices.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { ask, bed } from '#test/gateway/tunnel/bed';

const MiB = 1024 * 1024;

test('a slow reader holds at most 1 MiB in the tunnel, and stops its app', async (t) => {
  let written = 0;
  const { port, tunnels } = await bed(t, (req, res) => {
    if (req.url !== '/bulk') {
      res.end('quick');
      return;
    }
    const chunk = Buffer.alloc(MiB);
    const more = (): void => {
      while (written < 1024 * MiB) {
        written += chunk.length;
        if (!res.write(chunk)) {
          res.once('drain', more);
          return;
        }
      }
      res.end();
    };
    more();
  });
  const req = httpRequest({ host: '127.0.0.1', port, path: '/bulk', agent: false });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.pause();
  // Quiet for a while means that the app has been stopped for good.
  let last = -1;
  while (written !== last) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Others are served all the while.
    assert.equal((await ask(port, { path: '/' })).body, 'quick');
  }
  assert.ok(tunnels.held <= MiB, `${tunnels.held} bytes held at the gateway`);
  // Kernel buffers of four sockets come on top of what we hold; without credit the whole gigabyte would.
  assert.ok(written < 64 * MiB, `the app could write ${written} bytes`);
  let read = 0;
  res.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > 100 * MiB) req.destroy();
  });
  res.on('error', () => {});
  res.resume();
  await new Promise((resolve) => res.on('close', resolve));
  assert.ok(read > 100 * MiB, 'it goes on when the reader does');
});
