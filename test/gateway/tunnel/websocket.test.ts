// WebSocket frames between a raw client and a raw server through a tunnel: every byte as it was, right or wrong. What
// a frame means is for the two ends to say, never for us.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { bed } from './bed.ts';

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

interface Frame {
  readonly opcode: number;
  readonly payload?: Buffer | string;
  readonly fin?: boolean;
  readonly masked?: boolean;
  readonly reserved?: number;
}

/** RFC 6455 5.2, also for frames it forbids. */
function frame({ opcode, payload = '', fin = true, masked = true, reserved = 0 }: Frame): Buffer {
  const body = Buffer.from(payload as string);
  const { length } = body;
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size);
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (masked ? 0x80 : 0) | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([head, body]);
  for (let i = 0; i < length; i += 1) body[i] = (body[i] as number) ^ (MASK[i % 4] as number);
  return Buffer.concat([head, MASK, body]);
}

function closing(code: number, reason = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
}

const filled = (length: number): Buffer => Buffer.alloc(length, 'sallyport');

/** By name: frames a client may send, and many that it may not. */
function corpus(): Map<string, Buffer> {
  const cases = new Map<string, Buffer>();
  for (const length of [0, 1, 125, 126, 127, 128, 255, 16_383, 16_384, 16_385, 65_535, 65_536, 1_048_577]) {
    for (const opcode of [1, 2]) {
      cases.set(`opcode ${opcode}, ${length} bytes`, frame({ opcode, payload: filled(length) }));
    }
  }
  for (const opcode of [9, 10]) {
    for (const length of [0, 1, 125, 126]) {
      cases.set(`control ${opcode}, ${length} bytes`, frame({ opcode, payload: filled(length) }));
    }
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    cases.set(`reserved opcode ${opcode}`, frame({ opcode, payload: 'x' }));
  }
  for (let reserved = 1; reserved <= 7; reserved += 1) {
    cases.set(`reserved bits ${reserved}`, frame({ opcode: 1, payload: 'x', reserved }));
  }
  for (const code of [
    0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1015, 3000, 4999, 65_535,
  ]) {
    cases.set(`close ${code}`, frame({ opcode: 8, payload: closing(code, 'bye') }));
  }
  cases.set('close without a code', frame({ opcode: 8 }));
  cases.set('close with half a code', frame({ opcode: 8, payload: 'x' }));
  cases.set('data after close', Buffer.concat([frame({ opcode: 8 }), frame({ opcode: 1, payload: 'late' })]));
  cases.set(
    'fragments with pings between them',
    Buffer.concat([
      frame({ opcode: 1, payload: 'one', fin: false }),
      frame({ opcode: 9, payload: 'ping' }),
      frame({ opcode: 0, payload: 'two', fin: false }),
      frame({ opcode: 10, payload: 'pong' }),
      frame({ opcode: 0, payload: 'three' }),
    ]),
  );
  cases.set('a continuation of nothing', frame({ opcode: 0, payload: 'x' }));
  cases.set('a fragmented ping', frame({ opcode: 9, payload: 'x', fin: false }));
  cases.set('unmasked', frame({ opcode: 1, payload: 'x', masked: false }));
  for (const hex of ['ff', 'c080', 'eda080', 'f4908080', 'cebae1bdb9cf83cebcceb5eda080', 'e282']) {
    cases.set(`invalid UTF-8 ${hex}`, frame({ opcode: 1, payload: Buffer.from(hex, 'hex') }));
  }
  cases.set('a length longer than needed', Buffer.from('81fe000100000000', 'hex'));
  cases.set('a length beyond 63 bits', Buffer.from('82ffffffffffffffffff00000000', 'hex'));
  cases.set('half a head', Buffer.from('81', 'hex'));
  cases.set('what looks like HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
  return cases;
}

/** A client joined to an app that hands over what it gets, and sends back what `reply` makes of it. */
async function joined(t: TestContext, onSocket: (socket: Duplex) => void): Promise<() => Promise<Socket>> {
  const { port } = await bed(t, {
    attach: (server) => {
      server.on('upgrade', (_req, socket) => {
        socket.on('error', () => {});
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
        onSocket(socket);
      });
    },
  });
  return async () => {
    const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    client.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    let seen = '';
    while (!seen.endsWith('\r\n\r\n')) {
      const [chunk] = (await once(client, 'data')) as [Buffer];
      seen += chunk.toString('latin1');
    }
    return client;
  };
}

test('websocket: every frame, right or wrong, arrives and comes back byte for byte', async (t) => {
  let received = Buffer.alloc(0);
  const open = await joined(t, (socket) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      socket.write(chunk);
    });
    socket.on('end', () => {
      received = Buffer.concat(chunks);
      socket.end();
    });
  });
  const cases = corpus();
  assert.ok(cases.size > 80);
  for (const [name, bytes] of cases) {
    for (const cut of [0, 1, bytes.length >> 1]) {
      const client = await open();
      const back: Buffer[] = [];
      client.on('data', (chunk: Buffer) => back.push(chunk));
      // In two writes, so that no boundary of ours falls where a frame's does.
      if (cut > 0) client.write(bytes.subarray(0, cut));
      client.end(bytes.subarray(cut));
      await once(client, 'end');
      assert.ok(received.equals(bytes), `${name}: ${received.length} of ${bytes.length} bytes arrived`);
      assert.ok(Buffer.concat(back).equals(bytes), `${name}: came back changed`);
    }
  }
});

test('websocket: 100 MB there and back', async (t) => {
  const open = await joined(t, (socket) => void socket.pipe(socket));
  const client = await open();
  const [sent, back] = [createHash('sha256'), createHash('sha256')];
  let length = 0;
  client.on('data', (chunk: Buffer) => {
    back.update(chunk);
    length += chunk.length;
  });
  const total = 100_000_000;
  const one = frame({ opcode: 2, payload: filled(1_000_000 - 14) });
  assert.equal(one.length, 1_000_000);
  for (let written = 0; written < total; written += one.length) {
    one.writeUInt32BE(written, 14);
    const copy = Buffer.from(one);
    sent.update(copy);
    if (!client.write(copy)) await once(client, 'drain');
  }
  client.end();
  await once(client, 'end');
  assert.equal(length, total);
  assert.equal(back.digest('hex'), sent.digest('hex'));
});
