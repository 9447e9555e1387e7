// Bytes to frames, in whatever pieces they arrive. It keeps at most one header or one bounded payload, and never
// a byte of DATA: that is handed on as it comes.
import { WireError } from './error.ts';
import { FIN, FRAME, headerProblem } from './frame.ts';
import { FRAME_HEADER } from './limits.ts';

/** What a decoder hands frames to. Neither may keep a reference into `payload` beyond what it holds on purpose. */
export interface FrameSink {
  /** A whole frame of any type but DATA. */
  onFrame(type: number, fin: boolean, stream: number, payload: Buffer): void;
  /** The next piece of a DATA frame; `fin` with the last piece of a frame that carried it. */
  onData(stream: number, piece: Buffer, fin: boolean): void;
}

const EMPTY = Buffer.alloc(0);
const HEADER = 0;
const PAYLOAD = 1;
const DATA = 2;

export class Decoder {
  readonly #sink: FrameSink;
  #state: typeof HEADER | typeof PAYLOAD | typeof DATA = HEADER;
  readonly #header = Buffer.alloc(FRAME_HEADER);
  /** Bytes collected of the header (HEADER) or of the payload (PAYLOAD). */
  #have = 0;
  #byte = 0;
  #stream = 0;
  /** Payload bytes still to come (DATA). */
  #left = 0;
  #payload: Buffer = EMPTY;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether the stream of bytes may end here: not inside a frame. */
  get idle(): boolean {
    return this.#state === HEADER && this.#have === 0;
  }

  /** @throws {WireError} `protocol` at the first bad header; nothing after it was looked at. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === HEADER) at = this.#readHeader(chunk, at);
      else if (this.#state === DATA) at = this.#readData(chunk, at);
      else at = this.#readPayload(chunk, at);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#have === 0 && chunk.length - at >= FRAME_HEADER) {
      this.#begin(chunk, at);
      return at + FRAME_HEADER;
    }
    const take = Math.min(FRAME_HEADER - this.#have, chunk.length - at);
    chunk.copy(this.#header, this.#have, at, at + take);
    this.#have += take;
    if (this.#have === FRAME_HEADER) this.#begin(this.#header, 0);
    return at + take;
  }

  #begin(from: Buffer, at: number): void {
    const length = from.readUIntBE(at, 3);
    this.#byte = from[at + 3] as number;
    this.#stream = from.readUInt32BE(at + 4);
    this.#have = 0;
    const problem = headerProblem(this.#byte, length, this.#stream);
    if (problem !== undefined) throw new WireError('protocol', problem);
    this.#left = length;
    if ((this.#byte & ~FIN) === FRAME.DATA) {
      if (length === 0) this.#sink.onData(this.#stream, EMPTY, true);
      else this.#state = DATA;
    } else if (length === 0) {
      this.#sink.onFrame(this.#byte & ~FIN, (this.#byte & FIN) !== 0, this.#stream, EMPTY);
    } else {
      this.#state = PAYLOAD;
    }
  }

  #readData(chunk: Buffer, at: number): number {
    const take = Math.min(this.#left, chunk.length - at);
    this.#left -= take;
    const last = this.#left === 0;
    if (last) this.#state = HEADER;
    this.#sink.onData(this.#stream, chunk.subarray(at, at + take), last && (this.#byte & FIN) !== 0);
    return at + take;
  }

  #readPayload(chunk: Buffer, at: number): number {
    let payload: Buffer;
    const take = Math.min(this.#left, chunk.length - at);
    if (this.#have === 0 && take === this.#left) {
      payload = chunk.subarray(at, at + take);
    } else {
      if (this.#have === 0) this.#payload = Buffer.allocUnsafe(this.#left);
      chunk.copy(this.#payload, this.#have, at, at + take);
      this.#have += take;
      this.#left -= take;
      if (this.#left > 0) return at + take;
      payload = this.#payload;
      this.#payload = EMPTY;
      this.#have = 0;
    }
    this.#state = HEADER;
    this.#sink.onFrame(this.#byte & ~FIN, (this.#byte & FIN) !== 0, this.#stream, payload);
    return at + take;
  }
}
