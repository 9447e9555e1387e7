// Corpus: the frames of tunnels against both of their ends, and WebSocket frames against the server that carries them.
// The process lives, a session ends or goes on, and nobody holds more than its limits.
import { setImmediate as turn } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { FIN, FRAME, frame } from '#connectors/wire/frame';
import { encodeRequest, encodeResponse } from '#connectors/wire/head';
import { encodeHello } from '#connectors/wire/hello';
import { DEFAULT_LIMITS, MAX_MESSAGE_BYTES, VERSIONS, WEBSOCKET_OPTIONS } from '#connectors/wire/limits';
import { openPrefix } from '#connectors/wire/open';
import { Session } from '#connectors/wire/session';
import { IGNORE, type StreamHandler } from '#connectors/wire/stream';
import type { Transport } from '#connectors/wire/transport';
import { Line } from './bed/line.ts';
import { mutateBytes } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

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

/** Bits flipped, bytes set, frames dropped, repeated or swapped, lengths changed, the end cut off. */
function mutate(frames: readonly Buffer[], dice: Dice): Buffer {
  const list: Buffer[] = frames.map((bytes) => Buffer.from(bytes));
  const moves = 1 + dice.below(3);
  for (let i = 0; i < moves && list.length > 1; i++) {
    const at = (dice.chance(0.9) ? 1 : 0) + dice.below(list.length - 1);
    const bytes = list[at] as Buffer;
    switch (dice.below(7)) {
      case 0: {
        const bit = dice.below(Math.min(bytes.length, 64));
        bytes[bit] = (bytes[bit] ?? 0) ^ (1 << dice.below(8));
        break;
      }
      case 1:
        bytes[dice.below(8)] = dice.below(256);
        break;
      case 2:
        list.splice(at, 1);
        break;
      case 3:
        list.splice(at, 0, ...Array.from({ length: 1 + dice.below(20) }, () => bytes));
        break;
      case 4:
        list.splice(at, 0, ...list.splice(dice.below(list.length), 1));
        break;
      case 5:
        list[at] = bytes.subarray(0, dice.below(bytes.length));
        break;
      default:
        // Lengths and stream numbers at the edges of their fields.
        if (bytes.length >= 8) bytes.writeUInt32BE(dice.pick([...EDGES, dice.below(6)]), dice.pick([0, 4]));
    }
  }
  return Buffer.concat(list);
}
const EDGES: readonly number[] = [0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x00ff_ffff];

/** One end of a tunnel fed with `bytes`, in pieces; throws when it holds too much or ends twice. */
function feed(gateway: boolean, bytes: Buffer, size: number): string {
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
      if (closed !== undefined) throw new Error('closed twice');
      closed = code;
    },
  });
  for (let at = 0; at < bytes.length; at += size) hose.onBytes(bytes.subarray(at, at + size));
  session.tick();
  if (session.streams > limits.streams) throw new Error(`${session.streams} streams`);
  if (budget.held > limits.streams * limits.window) throw new Error(`${budget.held} bytes held`);
  if (hose.sent >= 64 * 1024) throw new Error(`${hose.sent} bytes sent`);
  session.end('going-away', 'done');
  if (budget.held !== 0) throw new Error('bytes are still counted after the end');
  return closed ?? 'open';
}

/** A masked frame of a WebSocket client. */
function webSocketFrame(opcode: number, payload: Buffer, fin = true): Buffer {
  const length =
    payload.length < 126
      ? Buffer.of(0x80 | payload.length)
      : Buffer.of(0xfe, payload.length >> 8, payload.length & 255);
  return Buffer.concat([Buffer.of((fin ? 0x80 : 0) | opcode), length, Buffer.alloc(4), payload]);
}
const MESSAGES: readonly Buffer[] = [
  ...[
    webSocketFrame(1, Buffer.from('text')),
    webSocketFrame(2, Buffer.alloc(300)),
    webSocketFrame(9, Buffer.from('ping')),
  ],
  ...[
    webSocketFrame(2, Buffer.alloc(5), false),
    webSocketFrame(0, Buffer.alloc(5), false),
    webSocketFrame(0, Buffer.alloc(5)),
  ],
  ...[
    webSocketFrame(8, Buffer.from([3, 232])),
    webSocketFrame(10, Buffer.alloc(0)),
    webSocketFrame(2, Buffer.alloc(60_000)),
  ],
];

const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';

/** A WebSocket as connectors open it, fed with `bytes`; throws when it takes a message that is too large. */
async function converse(server: WebSocketServer, bytes: Buffer): Promise<void> {
  const line = new Line('gateway');
  const headers = { upgrade: 'websocket', 'sec-websocket-key': KEY, 'sec-websocket-version': '13' };
  const request = { method: 'GET', headers, url: '/' } as unknown as Parameters<
    WebSocketServer['handleUpgrade']
  >[0];
  let largest = 0;
  server.handleUpgrade(request, line, Buffer.alloc(0), (ws) => {
    ws.on('error', () => {});
    ws.on('message', (message: Buffer) => {
      largest = Math.max(largest, message.length);
    });
    line.say(bytes);
  });
  await turn();
  await turn();
  const { text } = line;
  line.destroy();
  if (largest > MAX_MESSAGE_BYTES) throw new Error(`a message of ${largest} bytes`);
  if (text.length > 256 * 1024) throw new Error(`${text.length} bytes answered`);
}

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const server = new WebSocketServer({ noServer: true, ...WEBSOCKET_OPTIONS });
  const ends = new Map<string, number>();
  while (tally.more) {
    if (dice.chance(0.25)) {
      const frames = Array.from({ length: 1 + dice.below(6) }, () => dice.pick(MESSAGES));
      const bytes = mutateBytes(Buffer.concat(frames), dice);
      await tally.trial(
        () => `websocket ${bytes.toString('hex')}`,
        () => converse(server, bytes),
      );
    } else {
      const gateway = dice.chance(0.5);
      const bytes = mutate(peerFrames(gateway), dice);
      const size = 1 + dice.below(bytes.length);
      tally.step(
        () => `${gateway ? 'gateway' : 'connector'} ${size} ${bytes.toString('hex')}`,
        () => {
          const end = feed(gateway, bytes, size);
          ends.set(end, (ends.get(end) ?? 0) + 1);
        },
      );
    }
    if (tally.inputs % 500 === 0) await turn();
  }
  // A corpus that never gets past the first header would test nothing.
  for (const code of ['protocol', 'flow-control', 'going-away'])
    if ((ends.get(code) ?? 0) < tally.inputs / 2000)
      tally.fail('(all)', `only ${ends.get(code)} ended with ${code}`);
  server.close();
  return tally.figures();
}
