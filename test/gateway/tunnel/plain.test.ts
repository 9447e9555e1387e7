// TCP through a tunnel, between two sessions and a real app: early bytes, both half-closes, breaks, and the gateway's wish.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Cluster } from '#connectors/cluster/cluster';
import { FIN, FRAME } from '#connectors/wire/frame';
import { openPrefix } from '#connectors/wire/open';
import { IGNORE } from '#connectors/wire/stream';
import { joined, Probe } from '#test/connectors/wire/sides';
import { bed } from './bed.ts';

async function tcpApp(t: TestContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** All that comes until the other end ends its direction; the own one stays open. */
async function said(one: Duplex): Promise<string> {
  let words = '';
  one.on('data', (chunk: Buffer) => {
    words += chunk.toString();
  });
  await once(one, 'end');
  return words;
}

function person(): [Duplex, Duplex] {
  const [near, far] = duplexPair({ allowHalfOpen: true });
  for (const end of [near, far]) end.on('error', () => {});
  return [near, far];
}

test('tcp: the app may speak first, and each side ends when it likes', async (t) => {
  const app = await tcpApp(t, (socket) => {
    socket.write('banner ');
    let asked = '';
    socket.on('data', (chunk: Buffer) => {
      asked += chunk.toString();
    });
    socket.on('end', () => socket.end(`answer to ${asked}`));
  });
  const { tunnels } = await bed(t, app);
  const [near, far] = person();
  let join: ((pipe: Duplex) => void) | undefined;
  const relay = tunnels.connect('app', () => {
    const { promise, resolve } = Promise.withResolvers<Duplex>();
    join = resolve;
    return promise;
  });
  near.end('a question');
  while (join === undefined || tunnels.held === 0) await new Promise(setImmediate);
  join(far);
  assert.equal(await text(near), 'banner answer to a question');
  const result = await relay.done;
  assert.deepEqual([result.outcome, result.bytesIn, result.bytesOut], ['completed', 10, 27]);
  assert.equal(tunnels.held, 0);
});

test('tcp: a direction may end in the frame that begins it', async (t) => {
  const self = await bed(t, 'tcp://127.0.0.1:1', { connectors: 0 });
  const { session } = await self.connect('one', (stream) => {
    setImmediate(() => session.batch.frame(FRAME.HEAD | FIN, stream.id, Buffer.alloc(0)));
    return IGNORE;
  });
  const [near, far] = person();
  self.tunnels.connect('app', async () => far);
  assert.equal(await text(near), '');

  const url = await tcpApp(t, (socket) => socket.resume().on('end', () => socket.end('so be it')));
  const cluster = new Cluster({ app: { url, headTimeout: 1 } });
  t.after(() => cluster.close());
  const { gateway } = await joined({}, undefined, cluster.serving.open);
  const probe = new Probe();
  const ended = Promise.withResolvers<void>();
  probe.onData = (piece, fin) => {
    probe.bytes += piece.length;
    if (fin) ended.resolve();
  };
  gateway.session.open(openPrefix('tcp', 'app'), '', true, probe, 0);
  await ended.promise;
  assert.equal(probe.bytes, 8);
});

test('tcp: an app that ends first hears what the person still says', async (t) => {
  const { promise: heard, resolve } = Promise.withResolvers<string>();
  const app = await tcpApp(t, (socket) => {
    socket.end('goodbye');
    void said(socket).then(resolve);
  });
  const { tunnels } = await bed(t, app);
  const [near, far] = person();
  const relay = tunnels.connect('app', async () => far);
  assert.equal(await said(near), 'goodbye');
  near.end('the rest');
  assert.equal(await heard, 'the rest');
  const { outcome, bytesIn, bytesOut } = await relay.done;
  assert.deepEqual([outcome, bytesIn, bytesOut], ['completed', 8, 7]);
});

test('tcp: a person who is gone before the app answered leaves no connection behind', async (t) => {
  const gone = Promise.withResolvers<void>();
  const app = await tcpApp(t, (socket) => void socket.once('error', () => gone.resolve()).resume());
  const { tunnels } = await bed(t, app);
  const relay = tunnels.connect('app', () => Promise.reject(new Error('the client went away')));
  assert.equal((await relay.done).outcome, 'client-aborted');
  await gone.promise;
});

test('tcp: closed on our wish, at any stage, both sides see it and the app sees a break', async (t) => {
  for (const stage of ['dialling', 'joining', 'joined']) {
    const gone = Promise.withResolvers<void>();
    const app = await tcpApp(t, (socket) => {
      socket.once('error', () => gone.resolve()).resume();
      socket.write('hello');
    });
    const { tunnels } = await bed(t, app);
    const [near, far] = person();
    const reached = Promise.withResolvers<void>();
    const join = Promise.withResolvers<Duplex>();
    const relay = tunnels.connect('app', () => {
      reached.resolve();
      return join.promise;
    });
    if (stage !== 'dialling') await reached.promise;
    if (stage === 'joined') {
      join.resolve(far);
      await once(near, 'data');
    }
    relay.close('session-ended');
    const result = await relay.done;
    assert.deepEqual([result.outcome, result.detail], ['closed', 'session-ended'], stage);
    if (stage === 'joining') join.resolve(far);
    if (stage !== 'dialling') {
      await gone.promise;
      if (!far.destroyed) await once(far, 'close');
    }
    assert.equal(tunnels.connectors()[0]?.streams, 0, stage);
  }
});

test('tcp: an app that breaks the connection is not one that ended it', async (t) => {
  const app = await tcpApp(t, (socket) => {
    socket.write('half');
    socket.once('data', () => socket.resetAndDestroy());
  });
  const { tunnels } = await bed(t, app);
  const [near, far] = person();
  const relay = tunnels.connect('app', async () => far);
  near.once('data', () => near.write('thanks'));
  const result = await relay.done;
  assert.deepEqual([result.outcome, result.failure], ['failed', 'app-error']);
  assert.equal(far.destroyed, true);
});

test('tcp: an app that cannot be reached is said to be so', async (t) => {
  const { tunnels } = await bed(t, 'tcp://127.0.0.1:1');
  const result = await tunnels.connect('app', async () => person()[1]).done;
  assert.deepEqual([result.outcome, result.failure, result.headSent], ['failed', 'app-unreachable', false]);
});

test('tcp: an app that does not read holds its person back', async (t) => {
  const app = await tcpApp(t, (socket) => {
    socket.pause();
  });
  const { tunnels } = await bed(t, app);
  const [near, far] = person();
  const relay = tunnels.connect('app', async () => far);
  const chunk = Buffer.alloc(64 * 1024);
  let sent = 0;
  let last = -1;
  while (sent !== last) {
    last = sent;
    while (sent < 256 * 1024 * 1024 && !near.writableNeedDrain) {
      near.write(chunk);
      sent += chunk.length;
    }
    await Promise.race([once(near, 'drain'), new Promise((resolve) => setTimeout(resolve, 200))]);
  }
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken for an app that reads nothing`);
  relay.close('policy-changed');
  await relay.done;
});
