// A gateway, or what passes for one, that sends a connector what brought other WebSocket clients down: the tunnel ends,
// the connector lives, holds no memory, and dials again.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { dial } from '#connectors/link/dial';
import { type Identity, identityOf } from '#connectors/link/identity';
import { SUBPROTOCOL } from '#connectors/wire/limits';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-hostile-'));
const MIB = 1 << 20;
let identity: Identity;
let server: Server;
let gateway: URL;
/** What the next connection is answered with: further lines of the 101, and what follows it. */
let lines: readonly string[] = [];
let say: (socket: Duplex) => void = () => {};

before(async () => {
  const authority = await openAuthority(join(directory, 'ca'), 'Test', Date.now);
  const { cert, key } = await issueCertificate(authority, ['localhost']);
  identity = identityOf(key, cert, authority.certificate);
  server = createServer({ cert, key });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => {});
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    const own = [`Sec-WebSocket-Accept: ${accept}`, `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`, ...lines];
    socket.write(`${[...head, ...own].join('\r\n')}\r\n\r\n`);
    // Not with the answer to the handshake, so that both ways of arriving are tried.
    setImmediate(() => say(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  gateway = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
});
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** One frame from a server: first byte, a length in the smallest form or the one given, and a payload. */
function frame(first: number, payload: Buffer, length?: Buffer): Buffer {
  const small = payload.length < 126 ? Buffer.from([payload.length]) : undefined;
  const middle = Buffer.from([126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([Buffer.from([first]), length ?? small ?? middle, payload]);
}

/** A length in 64 bits. */
const long = (high: number, low: number): Buffer => {
  const length = Buffer.alloc(9, 127);
  length.writeUInt32BE(high, 1);
  length.writeUInt32BE(low, 5);
  return length;
};
const BOMB = deflateRawSync(Buffer.alloc(64 * MIB)).subarray(0, 60_000);

const HOSTILE: readonly (readonly [what: string, bytes: readonly Buffer[]])[] = [
  ['a compressed message nobody agreed to, a bomb', [frame(0xc2, BOMB)]],
  ['a length of 2^63 - 1', [frame(0x82, Buffer.alloc(64), long(0x7fffffff, 0xffffffff))]],
  ['a length of 2^64 - 1', [frame(0x82, Buffer.alloc(64), long(0xffffffff, 0xffffffff))]],
  ['a length of 2^32', [frame(0x82, Buffer.alloc(64), long(1, 0))]],
  ['a length just beyond what a message may have', [frame(0x82, Buffer.alloc(64), long(0, 64 * MIB))]],
  ['an unknown opcode', [frame(0x83, Buffer.alloc(1))]],
  ['reserved bits', [frame(0xb2, Buffer.alloc(1))]],
  ['a masked frame', [Buffer.from([0x82, 0x81, 1, 2, 3, 4, 5])]],
  ['a fragmented ping', [frame(0x09, Buffer.alloc(1))]],
  ['a ping that is too long', [frame(0x89, Buffer.alloc(126))]],
  ['a continuation of nothing', [frame(0x80, Buffer.alloc(1))]],
  ['a message within another', [frame(0x02, Buffer.alloc(1)), frame(0x82, Buffer.alloc(1))]],
  ['a close with half a code', [frame(0x88, Buffer.from([3]))]],
  ['a close with a code that is none', [frame(0x88, Buffer.from([0, 0]))]],
  ['a close whose words are not text', [frame(0x88, Buffer.from([3, 0xe8, 0xff, 0xfe]))]],
  [
    'fragments without end',
    Array<Buffer>(200_000)
      .fill(frame(0x00, Buffer.alloc(0)))
      .toSpliced(0, 1, frame(2, Buffer.alloc(1))),
  ],
];

/** Dials; waits until the tunnel is over. */
async function ended(): Promise<string> {
  const ws = await dial(gateway, identity).catch((error: Error) => error);
  if (ws instanceof Error) return 'refused';
  const timer = setTimeout(() => ws.terminate(), 5_000).unref();
  const code = await new Promise<number>((resolve) => ws.once('close', resolve));
  clearTimeout(timer);
  return code === 1006 ? 'cut' : `closed ${code}`;
}

test('what a gateway says out of place ends its tunnel, and nothing else', async () => {
  for (const [what, bytes] of HOSTILE) {
    const before = process.memoryUsage.rss();
    lines = [];
    say = (socket) => {
      const all = Buffer.concat(bytes);
      // In pieces, and at once.
      for (let at = 0; at < all.length; at += 4096) socket.write(all.subarray(at, at + 4096));
      setTimeout(() => socket.destroy(), 300).unref();
    };
    assert.match(await ended(), /^(?:cut|closed \d+)$/, what);
    assert.ok(process.memoryUsage.rss() - before < 64 * MIB, `${what}: memory`);
  }
});

test('a handshake that agrees to what was not offered is no tunnel', async () => {
  say = () => {};
  for (const line of [
    'Sec-WebSocket-Extensions: permessage-deflate',
    'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99',
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
    'Sec-WebSocket-Extensions: x; y="',
    'Sec-WebSocket-Protocol: another',
    'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ]) {
    lines = [line];
    assert.equal(await ended(), 'refused', line);
  }
});

test('and the connector dials again', async () => {
  lines = [];
  say = (socket) => setTimeout(() => socket.end(frame(0x88, Buffer.from([3, 0xe8]))), 20);
  assert.equal(await ended(), 'closed 1000');
});
