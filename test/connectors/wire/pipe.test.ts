// TCP's bytes over a WebSocket: order, both half-closes, back-pressure, ends that vanish, and peers that misbehave.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type TestContext, test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { PIPE_WINDOW, WebSocketPipe } from '#connectors/wire/pipe';

/** Two joined WebSockets over loopback. */
async function sockets(t: TestContext): Promise<[WebSocket, WebSocket]> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await once(server, 'listening');
  const near = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'open')])) as [
    [WebSocket],
    unknown,
  ];
  t.after(() => {
    for (const ws of [near, far]) ws.terminate();
    server.close();
  });
  return [near, far];
}

async function readAll(pipe: WebSocketPipe): Promise<Buffer> {
  const chunks: Buffer[] = [];
  pipe.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(pipe, 'end');
  return Buffer.concat(chunks);
}

test('pipe: one direction ends, the other goes on, and both close in order', async (t) => {
  const [near, far] = (await sockets(t)).map((ws) => new WebSocketPipe(ws)) as [WebSocketPipe, WebSocketPipe];
  near.end('question');
  assert.equal((await readAll(far)).toString(), 'question');
  assert.equal(far.writable, true, 'the answer can still be given');
  far.write(Buffer.alloc(0));
  far.end('answer');
  assert.equal((await readAll(near)).toString(), 'answer', 'an empty write ends nothing');
  await Promise.all([finished(near), finished(far)]);
});

test('pipe: a connection that breaks is an error, never an end', async (t) => {
  const [raw, ws] = await sockets(t);
  const pipe = new WebSocketPipe(ws);
  let ended = false;
  pipe.on('end', () => {
    ended = true;
  });
  pipe.resume();
  raw.send(Buffer.from('half of it'));
  raw.close(1000);
  const [error] = (await once(pipe, 'error')) as [Error];
  assert.match(error.message, /broke/);
  assert.equal(ended, false);
});

test('pipe: what was said in full is read in full, also after a close that nothing more is written to', {
  timeout: 60_000,
}, async (t) => {
  const [raw, ws] = await sockets(t);
  const pipe = new WebSocketPipe(ws, 20);
  pipe.write(Buffer.alloc(2 * PIPE_WINDOW));
  const sent = Buffer.alloc(PIPE_WINDOW - 1, 'x');
  raw.send(sent);
  raw.send(Buffer.alloc(0), { binary: true });
  raw.close(1000);
  await once(ws, 'close');
  // Longer than a silence that is noticed.
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await readAll(pipe)).length, sent.length);
  assert.equal(pipe.destroyed, true);
});

test('pipe: an end that was closed after its last word still gets that word across', {
  timeout: 60_000,
}, async (t) => {
  const [near, far] = (await sockets(t)).map((ws) => new WebSocketPipe(ws)) as [WebSocketPipe, WebSocketPipe];
  far.write('nobody reads this');
  near.end(Buffer.alloc(PIPE_WINDOW));
  await once(near, 'finish');
  near.destroy();
  assert.equal((await readAll(far)).length, PIPE_WINDOW);
});

test('pipe: a reader that stops holds the writer back', async (t) => {
  const [near, far] = (await sockets(t)).map((ws) => new WebSocketPipe(ws)) as [WebSocketPipe, WebSocketPipe];
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
  assert.ok(sent < 64 * 1024 * 1024, `${sent} bytes were taken for a reader that reads nothing`);
  assert.ok(far.readableLength <= 512 * 1024, `${far.readableLength} bytes held by the reader`);
  near.end();
  assert.equal((await readAll(far)).length, sent);
});

test('pipe: an end that fell silent is noticed, also by one that does not read; one that beats is kept', async (t) => {
  for (const reads of [true, false]) {
    const [mute, ws] = await sockets(t);
    // It answers pings but says nothing of its own: half-open looks no better.
    const alone = new WebSocketPipe(ws, 20);
    if (reads) alone.resume();
    mute.send(Buffer.alloc(PIPE_WINDOW));
    const [error] = (await once(alone, 'error')) as [Error];
    assert.match(error.message, /silent/);
  }
  const [near, far] = (await sockets(t)).map((each) => new WebSocketPipe(each, 20)) as [
    WebSocketPipe,
    WebSocketPipe,
  ];
  for (const pipe of [near, far]) pipe.on('error', () => {});
  // Nobody reads, and all credit is used up: the heartbeats still come and go.
  const chunk = Buffer.alloc(64 * 1024);
  while (!near.writableNeedDrain) near.write(chunk);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(near.destroyed || far.destroyed, false);
  assert.ok(far.readableLength <= PIPE_WINDOW);
});

test('pipe: more than the window, or credit for what was never sent, breaks the protocol', async (t) => {
  for (const wrong of [[Buffer.alloc(PIPE_WINDOW), Buffer.alloc(1)], ['1'], ['-1'], ['']]) {
    const [raw, ws] = await sockets(t);
    const pipe = new WebSocketPipe(ws);
    for (const message of wrong) raw.send(message);
    const [error] = (await once(pipe, 'error')) as [Error];
    assert.match(error.message, /broke the protocol/);
  }
});

test('pipe: bytes go on for as long as they are read, in whatever portions', async (t) => {
  const [near, far] = (await sockets(t)).map((ws) => new WebSocketPipe(ws)) as [WebSocketPipe, WebSocketPipe];
  for (const pipe of [near, far]) pipe.on('error', () => {});
  const random = randomOf(7);
  const sent = createHash('sha256');
  const read = createHash('sha256');
  let total = 0;
  Readable.from(
    (function* () {
      while (total < 32 * 1024 * 1024) {
        const chunk = Buffer.alloc(1 + Math.floor(random() * 300_000), total % 251);
        total += chunk.length;
        sent.update(chunk);
        yield chunk;
      }
    })(),
  ).pipe(near);
  let bytes = 0;
  for await (const chunk of far as AsyncIterable<Buffer>) {
    read.update(chunk);
    bytes += chunk.length;
    if (random() < 0.05) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(bytes, total);
  assert.equal(read.digest('hex'), sent.digest('hex'));
});

/** Small, fast and repeatable (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

test('pipe: whatever a peer sends, what is read is a prefix of its data, and whole only if it said so', async (t) => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomOf(seed);
    const [raw, ws] = await sockets(t);
    const pipe = new WebSocketPipe(ws);
    const got: Buffer[] = [];
    let ended = false;
    let failed = false;
    pipe.on('data', (chunk: Buffer) => got.push(chunk));
    pipe.on('end', () => {
      ended = true;
      pipe.end();
    });
    pipe.on('error', () => {
      failed = true;
    });
    raw.on('error', () => {});
    const data: Buffer[] = [];
    let whole = false;
    let broken = false;
    const steps = Math.floor(random() * 12);
    for (let step = 0; step < steps; step += 1) {
      const dice = random();
      const bytes = Buffer.alloc(1 + Math.floor(random() * 5000), step);
      if (dice < 0.55) {
        const fragments = random() < 0.3;
        if (fragments) raw.send(bytes.subarray(0, 1), { binary: true, fin: false });
        raw.send(fragments ? bytes.subarray(1) : bytes, { binary: true, fin: true });
        if (!whole && !broken && (!fragments || bytes.length > 0)) data.push(bytes);
      } else if (dice < 0.7) raw.ping();
      else if (dice < 0.8) raw.pong(bytes.subarray(0, 100));
      else if (dice < 0.9) {
        if (!broken) whole = true;
        raw.send(Buffer.alloc(0), { binary: true });
      } else {
        if (!whole) broken = true;
        raw.send('text');
      }
    }
    const closed = new Promise((resolve) => pipe.once('close', resolve));
    if (random() < 0.3) raw.terminate();
    else raw.close(1000);
    await closed;
    const [read, sent] = [Buffer.concat(got), Buffer.concat(data)];
    assert.ok(sent.subarray(0, read.length).equals(read), `seed ${seed}: something else was read`);
    if (ended) assert.ok(whole && read.equals(sent), `seed ${seed}: ended before the whole was read`);
    else assert.ok(failed || whole, `seed ${seed}: neither ended nor failed`);
  }
});
