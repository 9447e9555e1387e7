// A local port that leads to an app: what its clients see of the far side's end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { type Forward, forward } from '#connectors/device/forward';

/** A client of a port whose far side has said `words`. */
async function client(t: TestContext, far: Duplex, words: string): Promise<Socket & { port: Forward }> {
  const port = await forward({
    host: '127.0.0.1',
    port: 0,
    connect: async () => far,
    onRefused: () => {},
  });
  const socket = connect({ port: port.address.port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => {
    socket.destroy();
    port.close();
  });
  far.push(words);
  return Object.assign(socket, { port });
}

test('a client hears that an app which ended has closed, also if it goes on talking', {
  timeout: 60_000,
}, async (t) => {
  const far = new Duplex({ read() {}, write() {} });
  const near = await client(t, far, 'all I have to say');
  far.push(null);
  near.on('error', () => {});
  near.write('and I');
  let said = '';
  near.on('data', (chunk) => (said += chunk));
  await once(near, 'end');
  assert.equal(said, 'all I have to say');
  far.destroy();
  const closed = new Promise((resolve) => near.once('close', resolve));
  const talk = setInterval(() => near.write('and another thing'), 10);
  t.after(() => clearInterval(talk));
  await closed;
});

test('an app that ended first hears all that a client says before it closes, however slowly', {
  timeout: 60_000,
}, async (t) => {
  const heard: Buffer[] = [];
  let take: (() => void) | undefined;
  const far = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      heard.push(chunk);
      take = done;
    },
  });
  const near = await client(t, far, 'hello');
  far.push(null);
  near.resume();
  await once(near, 'end');
  near.end(Buffer.alloc(10_000, 'x'));
  await once(near, 'close');
  while (!far.writableEnded) await new Promise(setImmediate);
  // Both ends of the local connection are closed by now.
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  while (!far.writableFinished) {
    assert.ok(!far.destroyed, `it was cut off after ${Buffer.concat(heard).length} bytes`);
    take?.();
    await new Promise(setImmediate);
  }
  assert.equal(Buffer.concat(heard).length, 10_000);
});

test('what is open when the port closes breaks: a part must not pass for the whole', {
  timeout: 60_000,
}, async (t) => {
  const near = await client(t, new Duplex({ read() {}, write() {} }), 'the first half of what');
  await once(near, 'data');
  const broken = once(near, 'error');
  near.on('end', () => near.destroy(new Error('an end in order')));
  near.port.close();
  const [error] = await broken;
  assert.equal(error.code, 'ECONNRESET', String(error));
});
