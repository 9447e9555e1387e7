// A connector that lies: whatever it says of its app's answers, no client is led to read them wrong.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FRAME, frame } from '#connectors/wire/frame';
import { openPrefix } from '#connectors/wire/open';
import { IGNORE, type Stream } from '#connectors/wire/stream';
import { frameResponse } from '#gateway/tunnel/head';
import { ask, type Bed, bed } from './bed.ts';

/** A bed whose only connector answers each stream with `answer`. */
async function lying(t: TestContext, answer: (stream: Stream) => void): Promise<Bed> {
  const self = await bed(t, 'http://127.0.0.1:1', { connectors: 0 });
  await self.connect('liar', (stream) => {
    setImmediate(() => answer(stream));
    return IGNORE;
  });
  return self;
}

/** The raw bytes a client gets for one GET. */
async function raw(port: number, method = 'GET'): Promise<string> {
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {});
  client.write(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  return text(client).catch(() => 'broken');
}

test('fields of the connection between connector and app stay there', async (t) => {
  const { port } = await lying(t, (stream) => {
    const hop = [
      'Connection',
      'X-Hop, keep-alive',
      'X-Hop',
      '1',
      'Keep-Alive',
      'timeout=9',
      'Upgrade',
      'h2c',
    ];
    const framing = ['Transfer-Encoding', 'chunked', 'TE', 'trailers', 'Proxy-Connection', 'close'];
    stream.head(200, 'OK', [...hop, ...framing, 'X-End', '1'], false);
    stream.end(Buffer.from('0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'));
  });
  const { raw: fields, body } = await ask(port, { path: '/' });
  const names = fields.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  assert.ok(names.includes('x-end'));
  for (const name of ['x-hop', 'upgrade', 'te', 'proxy-connection']) assert.ok(!names.includes(name), name);
  assert.equal(body, '0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n', 'what looks like framing is body');
});

const broken: [what: string, answer: (stream: Stream) => void, headSent: boolean][] = [
  [
    'fewer bytes than declared',
    (stream) => {
      stream.head(200, 'OK', ['Content-Length', '10'], false);
      stream.end(Buffer.from('short'));
    },
    true,
  ],
  [
    'more bytes than declared',
    (stream) => {
      stream.head(200, 'OK', ['Content-Length', '2'], false);
      stream.write(Buffer.from('long'));
    },
    true,
  ],
  [
    'no body at all where one was declared',
    (stream) => stream.head(200, 'OK', ['Content-Length', '9'], true),
    false,
  ],
  [
    'two lengths',
    (stream) => stream.head(200, 'OK', ['Content-Length', '1', 'content-length', '2'], false),
    false,
  ],
  ['a length that is none', (stream) => stream.head(200, 'OK', ['Content-Length', '0x10'], false), false],
  [
    'a body with a 204',
    (stream) => {
      stream.head(204, 'No Content', [], false);
      stream.end(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
    },
    true,
  ],
  ['101 to a request that asked for none', (stream) => stream.head(101, '', ['Upgrade', 'x'], false), false],
  ['100 as the answer', (stream) => stream.head(100, '', [], false), false],
  [
    'trailers before the declared length was reached',
    (stream) => {
      stream.head(200, 'OK', ['Content-Length', '9'], false);
      stream.endWithTrailers(['A', 'b']);
    },
    true,
  ],
];
for (const [what, answer, headSent] of broken) {
  test(`refused: ${what}`, async (t) => {
    const { port, results } = await lying(t, answer);
    if (headSent) await assert.rejects(ask(port, { path: '/' }), what);
    else assert.equal((await ask(port, { path: '/' })).status, 502);
    assert.deepEqual([results[0]?.outcome, results[0]?.failure], ['failed', 'app-error']);
  });
}

test('a head costs what its length costs, whatever fields it has', () => {
  for (const value of ['', 'close', 'x']) {
    let reads = 0;
    const fields = Array.from({ length: 1000 }, () => ['Connection', value]).flat();
    const counted = new Proxy(fields, {
      get(target, key) {
        reads += 1;
        return Reflect.get(target, key);
      },
    });
    assert.deepEqual(frameResponse(counted, 200, false, true).headers, []);
    assert.ok(reads < 10 * fields.length, `${value}: ${reads}`);
  }
});

test('trailers cannot change how the message is read', async (t) => {
  const { port } = await lying(t, (stream) => {
    stream.head(200, 'OK', ['Trailer', 'X-Good'], false);
    stream.write(Buffer.from('x'));
    stream.endWithTrailers(['Content-Length', '99', 'Set-Cookie', 'a=b', 'X-Good', 'yes']);
  });
  const { trailers } = await ask(port, { path: '/' });
  assert.deepEqual({ ...trailers }, { 'x-good': 'yes' });
});

test('HEAD: a body that comes all the same never reaches the client', async (t) => {
  const { port } = await lying(t, (stream) => {
    stream.head(200, 'OK', ['Content-Length', '5'], false);
    stream.end(Buffer.from('hello'));
  });
  assert.ok(!(await raw(port, 'HEAD')).includes('hello'));
});

test('what was sent before a body is sent again only if nobody can tell', async (t) => {
  const served: string[] = [];
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT']) {
    const self = await bed(
      t,
      (req, res) => {
        served.push(req.method ?? '');
        res.end('second');
      },
      { connectors: 0 },
    );
    // The first connector takes the request and dies with it; the second is there and idle.
    const first = await self.connect('first', () => {
      setImmediate(() => first.line.cut('killed'));
      return IGNORE;
    });
    await self.connect('second');
    const { status } = await ask(self.port, { path: '/', method });
    const safe = method === 'GET' || method === 'HEAD';
    assert.equal(status, safe ? 200 : 502, method);
    assert.equal(self.results[0]?.connector, safe ? 'second' : 'first', method);
  }
  assert.deepEqual(served, ['GET', 'HEAD']);
});

test('a GET with a body is not sent again either', async (t) => {
  const self = await bed(t, (_req, res) => res.end('second'), { connectors: 0 });
  const first = await self.connect('first', () => {
    setImmediate(() => first.line.cut('killed'));
    return IGNORE;
  });
  await self.connect('second');
  assert.equal(
    (await ask(self.port, { path: '/', body: 'x', headers: { 'Content-Length': '1' } })).status,
    502,
  );
});

test('streams that a connector opens are refused; one that opens them without end loses its tunnel', async (t) => {
  const self = await bed(t, (_req, res) => res.end('here'));
  const evil = await self.connect('evil');
  evil.gatewayLine.record = [];
  const request = Buffer.concat([openPrefix('http', 'app'), Buffer.from('GET\n/')]);
  evil.line.send(Buffer.concat(Array.from({ length: 100 }, (_, i) => frame(FRAME.OPEN, 2 * i + 2, request))));
  await sleep(20);
  const said = Buffer.concat(evil.gatewayLine.record).toString('latin1');
  const refused = said.split('none are taken').length - 1;
  assert.ok(refused > 0 && refused <= 16, `${refused} were refused`);
  assert.match(said, /too many frames that carry nothing: OPEN$/);
  assert.deepEqual(
    self.tunnels.connectors().map(({ connector }) => connector),
    ['c0'],
  );
  assert.equal((await ask(self.port, { path: '/' })).body, 'here');
});

test('a connector cannot say 100 or 101 by the way', async (t) => {
  const { port } = await lying(t, (stream) => {
    for (const status of [100, 101, 103]) stream.info(status, ['X-Status', String(status)]);
    stream.head(200, 'OK', [], true);
  });
  const text = await raw(port);
  assert.deepEqual(text.match(/^HTTP\/1\.1 \d+|^X-Status.*/gm), [
    'HTTP/1.1 103',
    'X-Status: 103',
    'HTTP/1.1 200',
  ]);
});

test('hints that a client does not read are not kept for it', async (t) => {
  const hint = ['Link', `</${'a'.repeat(8_000)}>; rel=preload`];
  let told = 0;
  const self = await lying(t, (stream) => {
    const tell = (): void => {
      for (let i = 0; i < 100; i += 1) stream.info(103, hint);
      told += 100;
      if (told < 4_000) setImmediate(tell);
    };
    tell();
  });
  const sockets: Socket[] = [];
  self.gateway.on('connection', (one: Socket) => sockets.push(one));
  const client = connect(self.port, '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => {});
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  let most = 0;
  while (told < 4_000) {
    await sleep(5);
    most = Math.max(most, sockets[0]?.writableLength ?? 0);
  }
  assert.ok(most > 0 && most < 1024 * 1024, `${most} bytes`);
});

test('an app that gives hints without end fills no tunnel with them', async (t) => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(8_000)}>\r\n\r\n`;
  const all = Promise.withResolvers<void>();
  const app = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.once('data', () => {
      for (let i = 0; i < 1000; i += 1) socket.write(hint);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n', () => all.resolve());
    });
    all.promise.then(() => socket.write('ok'));
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  t.after(() => app.close());
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}`;
  const self = await bed(t, url, { connectors: 0 });
  const { line } = await self.connect();
  const answer = ask(self.port, { path: '/' });
  line.hold(true);
  await all.promise;
  // What the app has said has been read, but for what the kernel may hold of it.
  const most = line.backlog;
  line.hold(false);
  assert.equal((await answer).body, 'ok');
  assert.ok(most < 1_000_000, `${most} bytes wait for the tunnel`);
});
