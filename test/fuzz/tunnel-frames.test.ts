// Mutated frames against both ends of a tunnel: the process lives, a session ends or goes on, and never holds more
// than its limits. Seeded; SALLYPORT_FUZZ sets how many mutants, SALLYPORT_SEED another seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIN, FRAME, frame } from '#connectors/wire/frame';
import { encodeRequest, encodeResponse } from '#connectors/wire/head';
import { encodeHello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, VERSIONS } from '#connectors/wire/limits';
import { openPrefix } from '#connectors/wire/open';
import { Session } from '#connectors/wire/session';
import { IGNORE, type StreamHandler } from '#connectors/wire/stream';
import type { Transport } from '#connectors/wire/transport';

const COUNT = Number(process.env['SALLYPORT_FUZZ'] ?? 50_000);
const SEED = Number(process.env['SALLYPORT_SEED'] ?? 0x5a11);

/** mulberry32: small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What the session sends goes nowhere; what it is sent comes from the test. */
class Hose implements Transport {
  onBytes: (bytes: Buffer) => void = () => {};
  sent = 0;
  backlog = 0;
  attach(onBytes: (bytes: Buffer) => void): void {
    this.onBytes = onBytes;
  }
  send(bytes: Buffer): void {
    this.sent += bytes.length;
  }
  close(): void {}
  terminate(): void {}
}

const limits = { ...DEFAULT_LIMITS, window: 32 * 1024, maxWindow: 32 * 1024, streams: 8 };
const common = { window: limits.window, streams: 8, instance: 'x', software: 'x' };
const hello = { ...common, versions: VERSIONS, apps: ['app'] };
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const head = encodeRequest('POST', '/a', ['Host', 'a']);

/** Never consumes: the worst reader there is. */
const sink: StreamHandler = IGNORE;

function peerFrames(gateway: boolean): Buffer[] {
  const body = Buffer.alloc(9000, 0x61);
  const stream = 1;
  const open = frame(FRAME.OPEN, stream, Buffer.concat([openPrefix('http', 'app'), latin1(head)]));
  const answer = frame(FRAME.HEAD, stream, latin1(encodeResponse(200, 'OK', ['A', 'b'])));
  return [
    gateway
      ? frame(FRAME.HELLO, 0, encodeHello(hello))
      : frame(FRAME.WELCOME, 0, encodeHello({ ...common, version: 1 })),
    gateway ? frame(FRAME.INFO, stream, latin1(encodeResponse(103, '', ['Link', 'x']))) : open,
    gateway ? answer : frame(FRAME.WINDOW, stream, Buffer.from([0, 0, 1, 0])),
    frame(FRAME.DATA, stream, body),
    frame(FRAME.PING, 0, Buffer.alloc(8)),
    frame(FRAME.DATA | FIN, stream, body.subarray(0, 10)),
    frame(FRAME.TRAILERS | FIN, stream, latin1('X\ny')),
    frame(FRAME.RST, stream, Buffer.of(1, 0x61)),
    frame(FRAME.SESSION_ACK, 0, Buffer.from([0, 0, 0, 9])),
    frame(FRAME.GOAWAY, 0, Buffer.of(0)),
  ];
}

function flip(bytes: Buffer, at: number, bits: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ bits;
}

/** Bits flipped, bytes set, frames dropped, repeated or swapped, lengths changed, the end cut off. */
function mutate(frames: readonly Buffer[], random: () => number): Buffer {
  const pick = (below: number): number => Math.floor(random() * below);
  const list: Buffer[] = frames.map((bytes) => Buffer.from(bytes));
  const moves = 1 + pick(3);
  for (let i = 0; i < moves; i++) {
    const at = (random() < 0.9 ? 1 : 0) + pick(list.length - 1);
    const bytes = list[at] as Buffer;
    switch (pick(7)) {
      case 0:
        flip(bytes, pick(Math.min(bytes.length, 64)), 1 << pick(8));
        break;
      case 1:
        bytes[pick(8)] = pick(256);
        break;
      case 2:
        list.splice(at, 1);
        break;
      case 3:
        list.splice(at, 0, ...Array.from({ length: 1 + pick(20) }, () => bytes));
        break;
      case 4:
        list.splice(at, 0, ...list.splice(pick(list.length), 1));
        break;
      case 5:
        list[at] = bytes.subarray(0, pick(bytes.length));
        break;
      default:
        if (bytes.length >= 8) bytes.writeUInt32BE(pick(6), 4);
    }
    if (list.length < 2) break;
  }
  return Buffer.concat(list);
}

for (const gateway of [true, false]) {
  const name = gateway ? 'the gateway' : 'the connector';
  test(`${COUNT / 2} mutants against ${name}`, () => {
    const random = generator(SEED + (gateway ? 1 : 0));
    const frames = peerFrames(gateway);
    const ends = new Map<string, number>();
    let slowest = 0;
    for (let i = 0; i < COUNT / 2; i++) {
      const bytes = mutate(frames, random);
      const hose = new Hose();
      const budget = { held: 0 };
      let closed: string | undefined;
      const session: Session = new Session({
        ...{ transport: hose, limits, budget, clock: () => 0 },
        greeting: gateway ? { welcome: common } : { hello },
        onReady() {
          if (gateway && session.ready) session.open(openPrefix('http', 'app'), head, false, sink, 0);
        },
        onOpen: () => sink,
        onGoaway() {},
        onClose(code) {
          assert.equal(closed, undefined, 'closed twice');
          closed = code;
        },
      });
      const started = performance.now();
      const size = 1 + Math.floor(random() * bytes.length);
      for (let at = 0; at < bytes.length; at += size) hose.onBytes(bytes.subarray(at, at + size));
      session.tick();
      slowest = Math.max(slowest, performance.now() - started);
      const what = `seed ${SEED}, mutant ${i}: ${bytes.subarray(0, 200).toString('hex')}`;
      assert.ok(session.streams <= limits.streams, what);
      assert.ok(budget.held <= limits.streams * limits.window, what);
      assert.ok(hose.sent < 64 * 1024, what);
      session.end('going-away', 'done');
      assert.equal(budget.held, 0, `${what}: bytes are still counted after the end`);
      ends.set(closed ?? 'open', (ends.get(closed ?? 'open') ?? 0) + 1);
    }
    // A corpus that never gets past the first header would test nothing.
    for (const code of ['protocol', 'flow-control', 'going-away']) {
      assert.ok((ends.get(code) ?? 0) > COUNT / 1000, `${code}: ${ends.get(code)} of ${COUNT / 2}`);
    }
    // 50 ms is the promise; a machine that runs other suites beside this one needs slack.
    assert.ok(slowest < 500, `slowest step ${slowest} ms`);
  });
}
