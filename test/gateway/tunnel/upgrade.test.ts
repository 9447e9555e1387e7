// Upgrades through a tunnel: joined after 101 and never before.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { bed } from './bed.ts';

test('upgrade: spliced after 101, both ways, and half-closed in order', async (t) => {
  const { port, results } = await bed(t, {
    attach: (server) => {
      server.on('upgrade', (_req, socket) => {
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\nX-App: yes\r\n\r\n',
        );
        socket.pipe(socket);
      });
    },
  });
  const client = connect(port, '127.0.0.1');
  client.write('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly');
  let seen = '';
  client.on('data', (chunk) => {
    seen += chunk.toString('latin1');
    if (seen.endsWith('early')) client.end('last');
  });
  await once(client, 'close');
  assert.match(
    seen,
    /^HTTP\/1\.1 101 Switching Protocols\r\nX-App: yes\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearlylast$/,
  );
  await new Promise(setImmediate);
  assert.equal(results[0]?.outcome, 'completed');
  assert.equal(results[0]?.bytesIn, 9);
  assert.equal(results[0]?.bytesOut, 9);
});

test('upgrade: an app that declines is answered for as usual, and nothing of the new protocol gets through', async (t) => {
  let received = '';
  const { port } = await bed(t, {
    attach: (server) => {
      server.on('connection', (socket) => socket.on('data', (data: Buffer) => (received += data.toString())));
      server.on('request', (_req, res) => res.writeHead(403).end('no'));
    },
  });
  const client = connect(port, '127.0.0.1');
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  );
  const seen = await text(client);
  assert.match(seen, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.match(seen, /no/);
  assert.ok(!received.includes('smuggled'));
});

/** What the first bytes of a client that asks to upgrade to `x` are answered with, by an app that says `answer`. */
async function asking(t: TestContext, answer: string): Promise<string> {
  const { port } = await bed(t, {
    attach: (server) => {
      server.removeAllListeners('connection');
      server.on('connection', (socket) => socket.once('data', () => socket.write(answer)));
    },
  });
  const client = connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  return text(client);
}

test('upgrade: a 101 that does not make the connection another one is none', async (t) => {
  for (const fields of [
    'Upgrade: x\r\n',
    'Connection: Upgrade\r\n',
    'Upgrade: y\r\nConnection: Upgrade\r\n',
  ]) {
    const seen = await asking(t, `HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
    assert.match(seen, /^HTTP\/1\.1 502 /, fields);
  }
});

test('upgrade: what a 426 asks for arrives, as it is said by the book', async (t) => {
  const fields = 'Connection: Upgrade, X-Hop\r\nUpgrade: y/2\r\nX-Hop: 1\r\nContent-Length: 0\r\n';
  const seen = await asking(t, `HTTP/1.1 426 Upgrade Required\r\n${fields}\r\n`);
  assert.match(seen, /^HTTP\/1\.1 426 Upgrade Required\r\n/);
  assert.match(seen, /\r\nUpgrade: y\/2\r\n/);
  assert.ok(!seen.includes('X-Hop'));
});
