// The frame: eight bytes of header, then the payload. It says what a frame of each type may look like,
// so that a decoder refuses a bad one by its header, before a byte of payload is kept.
import { MAX_APP_ID, MAX_DATA, MAX_DETAIL, MAX_HEAD, MAX_HELLO } from './limits.ts';

/** Low seven bits of the type byte. */
export const FRAME = {
  OPEN: 0x01,
  HEAD: 0x02,
  INFO: 0x03,
  DATA: 0x04,
  TRAILERS: 0x05,
  RST: 0x06,
  WINDOW: 0x07,
  SESSION_ACK: 0x10,
  PING: 0x11,
  PONG: 0x12,
  GOAWAY: 0x13,
  HELLO: 0x14,
  WELCOME: 0x15,
} as const;
export type FrameName = keyof typeof FRAME;

/** High bit of the type byte: the sender's direction of the stream ends with this frame. */
export const FIN = 0x80;

/** What OPEN asks for: its first payload byte. */
export const KIND = { http: 1, upgrade: 2, tcp: 3 } as const;
export type Kind = keyof typeof KIND;

interface Shape {
  readonly min: number;
  readonly max: number;
  /** Whether it belongs to a stream (id above 0) or to the session (id 0). */
  readonly stream: boolean;
  /** `may`, `must` or `never` carry FIN. */
  readonly fin: 'may' | 'must' | 'never';
}

const session = { stream: false, fin: 'never' } as const;
const SHAPE: Readonly<Record<FrameName, Shape>> = {
  OPEN: { min: 3, max: 2 + MAX_APP_ID + MAX_HEAD, stream: true, fin: 'may' },
  HEAD: { min: 0, max: MAX_HEAD, stream: true, fin: 'may' },
  INFO: { min: 3, max: MAX_HEAD, stream: true, fin: 'never' },
  DATA: { min: 0, max: MAX_DATA, stream: true, fin: 'may' },
  TRAILERS: { min: 3, max: MAX_HEAD, stream: true, fin: 'must' },
  RST: { min: 1, max: 1 + MAX_DETAIL, stream: true, fin: 'never' },
  WINDOW: { min: 4, max: 4, stream: true, fin: 'never' },
  SESSION_ACK: { min: 4, max: 4, ...session },
  PING: { min: 8, max: 8, ...session },
  PONG: { min: 8, max: 8, ...session },
  GOAWAY: { min: 1, max: 1 + MAX_DETAIL, ...session },
  HELLO: { min: 2, max: MAX_HELLO, ...session },
  WELCOME: { min: 2, max: MAX_HELLO, ...session },
};

// Flat tables by type byte: looked up for every frame that arrives. 0 in `known` is an unknown type or a bad flag.
const known = new Uint8Array(256);
const shortest = new Uint32Array(256);
const longest = new Uint32Array(256);
const onStream = new Uint8Array(256);
const names: string[] = [];
for (const [name, shape] of Object.entries(SHAPE)) {
  const type = FRAME[name as FrameName];
  names[type] = name;
  for (const byte of [type, type | FIN]) {
    const fin = byte !== type;
    known[byte] = (fin && shape.fin === 'never') || (!fin && shape.fin === 'must') ? 0 : 1;
    shortest[byte] = shape.min;
    longest[byte] = shape.max;
    onStream[byte] = shape.stream ? 1 : 0;
  }
}
// An empty DATA says nothing unless it ends the direction: refused, since a flood of them is only work.
shortest[FRAME.DATA] = 1;

/** The name of a type byte, for messages. */
export function frameName(byte: number): string {
  return names[byte & 0x7f] ?? `type 0x${byte.toString(16).padStart(2, '0')}`;
}

/** What is wrong with a frame header, or undefined. */
export function headerProblem(byte: number, length: number, stream: number): string | undefined {
  if (known[byte] === 0) return `${frameName(byte)}: unknown type, or a FIN flag that it cannot carry`;
  if (length < (shortest[byte] as number)) return `${frameName(byte)}: ${length} bytes is too short`;
  if (length > (longest[byte] as number)) return `${frameName(byte)}: ${length} bytes is too long`;
  if (onStream[byte] === 1 ? stream === 0 || stream > 0x7fff_ffff : stream !== 0) {
    return `${frameName(byte)}: not on stream ${stream}`;
  }
  return undefined;
}

/** Writes the eight header bytes at `at`. */
export function writeHeader(target: Buffer, at: number, byte: number, length: number, stream: number): void {
  target[at] = length >>> 16;
  target[at + 1] = length >>> 8;
  target[at + 2] = length;
  target[at + 3] = byte;
  target[at + 4] = stream >>> 24;
  target[at + 5] = stream >>> 16;
  target[at + 6] = stream >>> 8;
  target[at + 7] = stream;
}

/** One whole frame in its own buffer: for tests, tools and frames that are seldom sent. */
export function frame(byte: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const out = Buffer.allocUnsafe(8 + payload.length);
  writeHeader(out, 0, byte, payload.length, stream);
  out.set(payload, 8);
  return out;
}
