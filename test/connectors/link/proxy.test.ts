// Dialling where whatever is asked on the way accepts and then says nothing, or never comes to an end: it is given up, and
// leaves nothing behind.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { dial } from '#connectors/link/dial';
import { renew } from '#connectors/link/enrol';
import type { Identity } from '#connectors/link/identity';
import { openAuthority } from '#gateway/pki/authority';

async function identityFor(t: TestContext): Promise<Identity> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-proxy-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const authority = await openAuthority(directory, 'Test', Date.now);
  const peer = await authority.issuePeer('spiffe://sallyport.internal/connector/one', 60_000);
  return { ...peer, ca: authority.bundle, notBefore: Date.now() };
}

interface Asked {
  /** Its connection is gone. */
  readonly closed: Promise<unknown>;
}

/** Who says the same to everybody, and nothing more; its port, and its first connection once that has come this far. */
async function whoSays(t: TestContext, words: string): Promise<{ port: number; asked: Promise<Asked> }> {
  const { promise: asked, resolve } = Promise.withResolvers<Asked>();
  const server = createServer((socket) => {
    const closed = new Promise((gone) => socket.once('close', gone));
    socket.on('error', () => {});
    t.after(() => socket.destroy());
    socket.once('data', () => {
      // After a whole answer comes the hello of TLS.
      if (words.endsWith('\r\n\r\n')) socket.once('data', () => resolve({ closed }));
      else resolve({ closed });
      socket.write(words);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

const GATEWAY = new URL('https://gateway.example:8444');
const proxies = [
  ['says nothing', ''],
  ['does not come to the end of its answer', 'HTTP/1.1 200 OK\r\n'],
  ['leads to somebody who says nothing', 'HTTP/1.1 200 OK\r\n\r\n'],
] as const;

for (const [what, words] of proxies) {
  for (const [asking, ask] of [
    ['a tunnel is dialled', dial],
    ['a certificate is renewed', renew],
  ] as const) {
    test(`${asking} through a proxy that ${what}: given up in time`, async (t) => {
      const identity = await identityFor(t);
      const { port, asked } = await whoSays(t, words);
      process.env['HTTPS_PROXY'] = `http://127.0.0.1:${port}`;
      t.after(() => delete process.env['HTTPS_PROXY']);
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const outcome = ask(GATEWAY, identity).then(
        () => 'open',
        (error: Error) => error.message,
      );
      const { closed } = await asked;
      t.mock.timers.tick(10_000);
      assert.match(await outcome, /within 10 s/);
      await closed;
    });
  }
}

test('a gateway that takes the connection and says nothing is given up', async (t) => {
  const identity = await identityFor(t);
  const { port, asked } = await whoSays(t, '');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const outcome = dial(new URL(`https://127.0.0.1:${port}`), identity).then(
    () => 'open',
    (error: Error) => error.message,
  );
  const { closed } = await asked;
  t.mock.timers.tick(10_000);
  assert.match(await outcome, /no tunnel within 10 s/);
  await closed;
});
