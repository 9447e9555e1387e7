// A local port that leads to an app: what its clients see of the far side's end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { forward } from '#connectors/device/forward';

/** A client of a port whose far side has said `words` and ended, but takes nothing. */
async function joined(t: TestContext, words: string): Promise<{ client: Socket; far: Duplex }> {
  const far = new Duplex({ read() {}, write() {} });
  const { address, server } = await forward({
    host: '127.0.0.1',
    port: 0,
    connect: async () => far,
    onRefused: () => {},
  });
  const client = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => {
    client.destroy();
    server.close();
  });
  far.push(words);
  far.push(null);
  return { client, far };
}

test('a client hears that an app which ended has closed, also if it goes on talking', {
  timeout: 60_000,
}, async (t) => {
  const { client, far } = await joined(t, 'all I have to say');
  client.on('error', () => {});
  client.write('and I');
  let said = '';
  client.on('data', (chunk) => (said += chunk));
  await once(client, 'end');
  assert.equal(said, 'all I have to say');
  far.destroy();
  const closed = new Promise((resolve) => client.once('close', resolve));
  const talk = setInterval(() => client.write('and another thing'), 10);
  t.after(() => clearInterval(talk));
  await closed;
});
