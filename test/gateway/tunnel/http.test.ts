// HTTP through a tunnel means what it means without one.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ask, bed } from './bed.ts';

test('method, path and end-to-end fields arrive byte for byte', async (t) => {
  let seen: { method: string; url: string; raw: string[] } | undefined;
  const { port, results } = await bed(t, (req, res) => {
    seen = { method: req.method ?? '', url: req.url ?? '', raw: req.rawHeaders };
    res.writeHead(201, 'Made It', { 'Set-Cookie': ['a=1', 'b=2'], 'X-Thing': 'v' }).end('hello');
  });
  const path = '/a%2Fb/%C3%A9;x=1?q=a%20b&r=%00c';
  const answer = await ask(port, {
    path,
    method: 'GET',
    headers: { Host: 'app.example', 'X-Mixed-CASE': 'Wert' },
  });
  assert.equal(seen?.method, 'GET');
  assert.equal(seen?.url, path);
  const fields = seen?.raw ?? [];
  assert.equal(fields[fields.indexOf('X-Mixed-CASE') + 1], 'Wert');
  assert.equal(fields[fields.indexOf('host') + 1], 'app.example');
  assert.equal(answer.status, 201);
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(answer.body, 'hello');
  await new Promise(setImmediate);
  const { outcome, failure, detail, headSent, status, bytesIn, bytesOut } = results[0] ?? {};
  assert.deepEqual([outcome, failure, detail], ['completed', undefined, undefined]);
  assert.deepEqual([headSent, status, bytesIn, bytesOut], [true, 201, 0, 5]);
});

test('what is beyond ASCII in a field arrives as the bytes that were sent, whenever the body comes', async (t) => {
  const said = Buffer.from('grüße €').toString('latin1');
  const seen: (string | undefined)[] = [];
  const { port } = await bed(t, (req, res) => {
    seen.push(req.rawHeaders[req.rawHeaders.indexOf('X-Said') + 1]);
    res.writeHead(Number(req.headers['x-status']), ['X-Said', said]);
    // The head alone, as bytes.
    res.write('', 'latin1');
    setTimeout(() => res.end(res.statusCode === 200 ? 'body' : undefined), 30);
  });
  for (const [method, status] of [
    ['GET', '200'],
    ['HEAD', '200'],
    ['GET', '204'],
    ['POST', '200'],
  ]) {
    const headers = { 'X-Said': said, 'X-Status': status };
    const req = httpRequest({ host: '127.0.0.1', port, agent: false, method, headers });
    if (method === 'POST') {
      req.write('', 'latin1');
      setTimeout(() => req.end('late'), 60);
    } else req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    await text(res);
    assert.equal(res.rawHeaders[res.rawHeaders.indexOf('X-Said') + 1], said, `${method} ${status}`);
  }
  assert.deepEqual(seen, [said, said, said, said]);
});

test('a reason keeps its bytes, where they are text', async (t) => {
  const { port } = await bed(t, ({ url, socket }) => {
    const reason = url === '/text' ? Buffer.from('Schön') : Buffer.from([0x53, 0xf6]);
    const parts = [Buffer.from('HTTP/1.1 200 '), reason, Buffer.from('\r\nContent-Length: 0\r\n\r\n')];
    socket.write(Buffer.concat(parts));
  });
  for (const [path, line] of [
    ['/text', 'HTTP/1.1 200 Schön\r\n'],
    ['/none', 'HTTP/1.1 200 \r\n'],
  ] as const) {
    const client = connect(port, '127.0.0.1');
    client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const said = await text(client);
    assert.ok(said.startsWith(line), said);
  }
});

test('10 MB each way keep their hash', async (t) => {
  const { port } = await bed(t, async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    res.end(Buffer.concat(chunks));
  });
  const body = randomBytes(10 * 1024 * 1024);
  const req = httpRequest({ port, host: '127.0.0.1', method: 'POST', agent: false });
  req.end(body);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  for await (const chunk of res) hash.update(chunk as Buffer);
  assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
});

test('a body that comes back while it is still being sent is whole, however long', async (t) => {
  for (const chunked of [false, true]) {
    const { port } = await bed(t, (req, res) => void req.pipe(res));
    const body = randomBytes(10 * 1024 * 1024);
    const headers = chunked ? {} : { 'Content-Length': body.length };
    const req = httpRequest({ port, host: '127.0.0.1', method: 'POST', agent: false, headers });
    for (let at = 0; at < body.length; at += 100_000) req.write(body.subarray(at, at + 100_000));
    req.end();
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    const hash = createHash('sha256');
    for await (const chunk of res) hash.update(chunk as Buffer);
    assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
  }
});

test('every method is carried', async (t) => {
  const { port } = await bed(t, (req, res) => res.end(req.method));
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE', 'QUERY']) {
    const answer = await ask(port, { method, path: '/' });
    assert.equal(answer.body, method);
  }
});

test('HEAD, 204 and 304 have no body and keep their fields', async (t) => {
  const { port } = await bed(t, (req, res) => {
    if (req.url === '/head') res.writeHead(200, { 'Content-Length': '1234' }).end();
    else if (req.url === '/204') res.writeHead(204).end();
    else res.writeHead(304, { ETag: '"x"' }).end();
  });
  const head = await ask(port, { method: 'HEAD', path: '/head' });
  assert.equal(head.headers['content-length'], '1234');
  assert.equal(head.body, '');
  assert.equal((await ask(port, { path: '/204' })).status, 204);
  const unchanged = await ask(port, { path: '/304' });
  assert.equal(unchanged.status, 304);
  assert.equal(unchanged.headers.etag, '"x"');
});

test('trailers go both ways', async (t) => {
  const { port } = await bed(t, (req, res) => {
    req.resume();
    req.on('end', () => {
      res.writeHead(200, { Trailer: 'X-Sum' });
      res.write('body');
      res.addTrailers({ 'X-Sum': String(req.trailers['x-in']) });
      res.end();
    });
  });
  const req = httpRequest({
    port,
    host: '127.0.0.1',
    method: 'POST',
    agent: false,
    headers: { Trailer: 'X-In' },
  });
  req.write('abc');
  req.addTrailers({ 'X-In': 'seen' });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(await text(res), 'body');
  assert.equal(res.trailers['x-sum'], 'seen');
});

test('early hints reach the client before the answer', async (t) => {
  const { port } = await bed(t, (_req, res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    res.end('page');
  });
  const req = httpRequest({ port, host: '127.0.0.1', agent: false });
  const informed = once(req, 'information');
  req.end();
  const [information] = (await informed) as [{ statusCode: number; headers: Record<string, string> }];
  assert.equal(information.statusCode, 103);
  assert.match(information.headers['link'] ?? '', /style\.css/);
});

test('informational answers arrive as the app said them, but for what is ours to say', async (t) => {
  const informed = [
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel="preload", </b.js>; rel=preload\r\nLink: </c>\r\nX-Other: 1\r\n\r\n',
    'HTTP/1.1 102 Processing\r\n\r\n',
    'HTTP/1.1 104 unknown\r\nLocation: /upload/1\r\n\r\n',
  ];
  const { port, ...self } = await bed(t, (req) => {
    const planted = informed[0]?.replace(
      'X-Other: 1',
      'X-Other: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Taken: 1',
    );
    req.socket.end(
      `${[planted, ...informed.slice(1)].join('')}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    );
  });
  self.options.onHead = (_status, headers) => {
    const at = headers.indexOf('X-Taken');
    if (at !== -1) headers.splice(at, 2);
  };
  const client = connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  assert.ok((await text(client)).startsWith(`${informed.join('')}HTTP/1.1 200 OK\r\n`));
});

test('100-continue is answered by the gateway and Expect never reaches the app', async (t) => {
  let expect: string | undefined;
  const { port } = await bed(t, (req, res) => {
    expect = req.headers.expect;
    req.pipe(res);
  });
  const req = httpRequest({
    port,
    host: '127.0.0.1',
    method: 'POST',
    agent: false,
    headers: { Expect: '100-continue', 'Content-Length': '4' },
  });
  req.flushHeaders();
  await once(req, 'continue');
  req.end('data');
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(await text(res), 'data');
  assert.equal(expect, undefined);
});

test('an early 413 reaches a client that is still uploading', async (t) => {
  const { port } = await bed(t, (_req, res) => {
    res.writeHead(413).end('too large');
  });
  const req = httpRequest({
    port,
    host: '127.0.0.1',
    method: 'POST',
    agent: false,
    headers: { 'Content-Length': String(64 * 1024 * 1024) },
  });
  req.on('error', () => {});
  const chunk = Buffer.alloc(64 * 1024);
  const timer = setInterval(() => req.write(chunk), 1);
  t.after(() => clearInterval(timer));
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  assert.equal(res.statusCode, 413);
  assert.equal(await text(res), 'too large');
  req.destroy();
});

test('server-sent events are delivered one by one', async (t) => {
  const { promise: next, resolve: send } = Promise.withResolvers<void>();
  const { port } = await bed(t, async (_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.flushHeaders();
    await next;
    res.write('data: one\n\n');
  });
  const req = httpRequest({ port, host: '127.0.0.1', agent: false });
  req.end();
  // The head comes although there is no byte of body yet.
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  send();
  const [chunk] = (await once(res, 'data')) as [Buffer];
  assert.equal(chunk.toString(), 'data: one\n\n');
  req.destroy();
});

test('HTTP/1.0 clients get the body without chunks', async (t) => {
  const { port } = await bed(t, (_req, res) => {
    res.write('a');
    res.end('b');
  });
  const client = connect(port, '127.0.0.1');
  client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  assert.match(await text(client), /\r\n\r\nab$/);
});
