// What an app says before it closes on a request that it has not read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Cluster } from '#connectors/cluster/cluster';
import { hearOut } from '#connectors/cluster/last-words';
import { encodeRequest } from '#connectors/wire/head';
import { openPrefix } from '#connectors/wire/open';
import { joined, Probe, settle } from '#test/connectors/wire/sides';

const ANSWER = 'HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n';

/** Somebody who has said `ANSWER`, has not read what came, and closed; and the other end, which has not looked yet. */
async function closed(t: TestContext): Promise<Socket> {
  const server = createServer({ pauseOnConnect: true });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  client.pause();
  const [app] = (await once(server, 'connection')) as [Socket];
  await new Promise<void>((resolve) => client.write('unread', () => resolve()));
  await new Promise<void>((resolve) => app.write(ANSWER, () => resolve()));
  app.destroy();
  await once(app, 'close');
  return client;
}

/** What is heard of it by whoever writes on, twice, and only then looks. */
async function heard(client: Socket): Promise<{ said: string; ended: boolean; code: string | undefined }> {
  let said = '';
  let ended = false;
  let code: string | undefined;
  client.on('data', (data: Buffer) => {
    said += data.toString('latin1');
  });
  client.pause();
  client.on('end', () => {
    ended = true;
  });
  client.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  const over = new Promise((resolve) => client.once('close', resolve));
  client.cork();
  client.write('more');
  client.write('of it');
  client.uncork();
  client.write('and more');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  client.resume();
  await over;
  return { said, ended, code };
}

test('what was said before a write failed is read, and then the connection broke', async (t) => {
  const client = await closed(t);
  hearOut(client);
  const { said, ended, code } = await heard(client);
  assert.equal(said, ANSWER);
  assert.match(code ?? '', /^(?:EPIPE|ECONNRESET)$/);
  assert.ok(!ended, 'a body that goes to the end of the connection is not whole');
});

test('an app that answers an upload and closes on the rest of it is heard', async (t) => {
  const server = createServer((app) => {
    app.on('error', () => {});
    app.once('data', () => {
      app.pause();
      app.write(ANSWER, () => app.destroy());
    });
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cluster = new Cluster({ app: { url, headTimeout: 5000 } });
  t.after(() => cluster.close());
  const { gateway } = await joined({}, undefined, (stream, request, fin) =>
    cluster.serving.open(stream, request, fin),
  );
  // Those with trailers go another way. More than once: which of the two comes first is the system's choice.
  for (const more of Array.from({ length: 10 }, (_, index) => (index % 2 ? [] : ['Trailer', 'X-Sum']))) {
    const probe = new Probe();
    const head = encodeRequest('PUT', '/', ['Host', 'a', ...more]);
    const stream = gateway.session.open(openPrefix('http', 'app'), head, false, probe, 0);
    probe.stream = stream;
    const over = (): boolean => probe.events.some((event) => /fin|reset/.test(event));
    while (!over()) if (!stream.write(Buffer.alloc(64 * 1024))) await settle(1);
    assert.match(probe.events.join(', '), /^head 413, fin/);
  }
});
