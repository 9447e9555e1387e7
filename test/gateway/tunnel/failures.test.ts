// How exchanges end that do not end well: no client may take a part for the whole, no app go on for nobody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { IGNORE, type Stream } from '#connectors/wire/stream';
import { ask, bed } from './bed.ts';

test('an app that dies in the middle never looks complete', async (t) => {
  const { port, results } = await bed(t, (req, res) => {
    if (req.url === '/length') res.writeHead(200, { 'Content-Length': '100' });
    res.write('half');
    setTimeout(() => req.socket.destroy(), 20);
  });
  for (const path of ['/length', '/chunked']) {
    const req = httpRequest({ port, host: '127.0.0.1', path, agent: false });
    req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    await assert.rejects(text(res), { code: 'ECONNRESET' }, path);
  }
  assert.deepEqual(
    results.map(({ outcome, failure }) => [outcome, failure]),
    [
      ['failed', 'app-error'],
      ['failed', 'app-error'],
    ],
  );
});

test('of an answer that breaks off at once its client has the head and what there is', async (t) => {
  // Before any head a browser takes its kept connection for one that was closed unused, and sends even a POST again.
  const parts: Record<string, (stream: Stream) => void> = {
    head: (stream) => stream.head(200, 'OK', [], false),
    part: (stream) => {
      stream.head(200, 'OK', ['Content-Length', '100'], false);
      stream.write(Buffer.from('part'));
    },
  };
  for (const [said, part] of Object.entries(parts)) {
    const { port, connect: join } = await bed(t, 'http://127.0.0.1:1', { connectors: 0 });
    await join('one', (stream) => {
      setImmediate(() => {
        part(stream);
        stream.reset('app-error', 'other side closed');
      });
      return IGNORE;
    });
    const client = connect(port, '127.0.0.1');
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok');
    const heard = await text(client);
    assert.match(heard, /^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n/s, said);
    assert.equal(heard.includes('part'), said === 'part');
    assert.ok(!heard.endsWith('0\r\n\r\n'), said);
  }
});

test('to a client of HTTP/1.0, whose bodies end with the connection, a broken one is reset', async (t) => {
  const { port } = await bed(t, (req, res) => {
    res.write('half');
    setTimeout(() => req.socket.destroy(), 20);
  });
  const client = connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  await assert.rejects(text(client), { code: 'ECONNRESET' });
});

test('what is left of one answer, too short or too long, reaches nobody after it', async (t) => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison';
  const { port } = await bed(t, (req, res) => {
    // A response of another's choosing behind the one that was asked for, and one that breaks off.
    if (req.url === '/long') req.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`);
    else if (req.url === '/early') req.socket.write(`HTTP/1.1 204 No Content\r\n\r\n${poison}`);
    else if (req.url === '/short') {
      res.writeHead(200, { 'Content-Length': '100' });
      res.write('poison');
      setTimeout(() => req.socket.destroy(), 5);
    } else res.end('mine');
  });
  for (const path of ['/long', '/early', '/short']) {
    const req = httpRequest({ port, host: '127.0.0.1', path, agent: false });
    const answered = once(req, 'response') as Promise<[IncomingMessage]>;
    req.end();
    const first = await answered.then(([res]) => text(res)).catch(() => 'broken');
    assert.notEqual(first, 'poison', path);
    const next = await Promise.all(Array.from({ length: 20 }, () => ask(port, { path: '/next' })));
    assert.deepEqual(
      new Set(next.map(({ status, body }) => `${status} ${body}`)),
      new Set(['200 mine']),
      path,
    );
  }
});

test('an app sees that its client went away', async (t) => {
  const { promise: gone, resolve } = Promise.withResolvers<string>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const { port, results } = await bed(t, (req, res) => {
    arrive();
    res.on('close', () => resolve(res.writableFinished ? 'finished' : 'aborted'));
    req.resume();
  });
  const req = httpRequest({ port, host: '127.0.0.1', agent: false });
  req.on('error', () => {});
  req.end();
  await arrived;
  req.destroy();
  assert.equal(await gone, 'aborted');
  assert.equal(results[0]?.outcome, 'client-aborted');
});

test('an app that is not there is a 502, an unknown app too, and a silent one a 504', async (t) => {
  const nothing = await bed(t, 'http://127.0.0.1:1');
  assert.equal((await ask(nothing.port, { path: '/' })).status, 502);
  assert.equal(nothing.results[0]?.failure, 'app-unreachable');
  await ask(nothing.port, { path: '/', headers: { 'X-App': 'elsewhere' } });
  assert.equal(nothing.results[1]?.failure, 'connector-refused');
  await ask(nothing.port, { path: '/', headers: { 'X-App': 'nobody-serves-this' } });
  assert.equal(nothing.results[2]?.failure, 'no-connector');
  const silent = await bed(t, () => {}, { headTimeout: 500 });
  assert.equal((await ask(silent.port, { path: '/' })).status, 504);
});

test('an answer that is not HTTP is a 502', async (t) => {
  const { port, results } = await bed(t, {
    attach: (server) => {
      server.on('connection', (socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    },
  });
  assert.equal((await ask(port, { path: '/' })).status, 502);
  assert.equal(results[0]?.failure, 'app-error');
});

test('an answer in a coding that nobody asked for is a 502: its bytes would pass for the body', async (t) => {
  const ok = 'HTTP/1.1 200 OK\r\nConnection: close\r\n';
  const { port, results } = await bed(t, {
    attach: (server) => {
      server.removeAllListeners('connection');
      server.on('connection', (socket) =>
        socket.once('data', (data: Buffer) => {
          const coding = decodeURIComponent(/ \/(\S*)/.exec(data.toString())?.[1] ?? '');
          const fields = coding.split('&').map((value) => `Transfer-Encoding: ${value}\r\n`);
          socket.end(`${ok}${fields.join('')}\r\n4\r\nbody\r\n0\r\n\r\n`);
        }),
      );
    },
  });
  for (const coding of ['gzip', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'chunked&chunked', 'x'])
    assert.equal((await ask(port, { path: `/${encodeURIComponent(coding)}` })).status, 502, coding);
  assert.deepEqual([...new Set(results.map(({ failure }) => failure))], ['app-error']);
  assert.equal((await ask(port, { path: '/Chunked' })).body, 'body');
  assert.equal((await ask(port, { path: '/gzip', method: 'HEAD' })).status, 200);
});

test('redirects are passed on, never followed', async (t) => {
  let requests = 0;
  const { port } = await bed(t, (_req, res) => {
    requests += 1;
    res.writeHead(302, { Location: 'http://169.254.169.254/latest/meta-data/' }).end();
  });
  assert.equal((await ask(port, { path: '/' })).headers.location, 'http://169.254.169.254/latest/meta-data/');
  assert.equal(requests, 1);
});

test('a relay that is closed is cut at the client and at the app', async (t) => {
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  const { port, relays, results } = await bed(t, (_req, res) => {
    res.write('first');
    res.on('close', resolve);
  });
  const req = httpRequest({ port, host: '127.0.0.1', agent: false });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  await once(res, 'data');
  relays[0]?.close('session revoked');
  await assert.rejects(text(res), { code: 'ECONNRESET' });
  await gone;
  assert.deepEqual(
    [results[0]?.outcome, results[0]?.detail, results[0]?.headSent],
    ['closed', 'session revoked', true],
  );
});

test('draining is over when whoever waited for what it cut has been told, and has had time to record it', async (t) => {
  const { port, relays, results, tunnels } = await bed(t, (_req, res) => void res.write('first'));
  const req = httpRequest({ port, host: '127.0.0.1', agent: false });
  req.on('error', () => {}).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  res.on('error', () => {});
  await once(res, 'data');
  let recorded = false;
  void relays[0]?.done.then(async () => {
    for (let i = 0; i < 20; i++) await undefined;
    recorded = true;
  });
  await tunnels.drain(0, () => relays[0]?.close('gateway-stopped'));
  assert.ok(recorded);
  assert.equal(results[0]?.detail, 'gateway-stopped', 'it can be told before the tunnels break');
});

test('a GET that its app broke off goes once more to another connector, and one it is too slow for to nobody', async (t) => {
  const { promise: never } = Promise.withResolvers<void>();
  let asked = 0;
  const self = await bed(
    t,
    async (req) => {
      asked += 1;
      if (req.url === '/slow') await never;
      req.socket.destroy();
    },
    { connectors: 0, headTimeout: 100 },
  );
  const times = async (path: string): Promise<[status: number, asked: number]> => {
    asked = 0;
    return [(await ask(self.port, { path })).status, asked];
  };
  // Two tunnels of one connector. Each connector asks twice itself: the first connection may have been a stale one.
  await self.connect('one');
  await self.connect('one');
  assert.deepEqual(await times('/broken'), [502, 2]);
  await self.connect('two');
  assert.deepEqual(await times('/broken'), [502, 4]);
  assert.deepEqual(await times('/slow'), [504, 1]);
});
