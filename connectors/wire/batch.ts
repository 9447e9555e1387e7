// Outgoing frames of one turn of the event loop, sent together: a tunnel write per turn instead of one per frame.
// Its slab is dropped when idle, so that ten thousand quiet tunnels hold nothing here.
import { FIN, FRAME, writeHeader } from './frame.ts';
import { COPY_UP_TO, FIRST_SLAB, FLUSH_AT, FRAME_HEADER, MAX_DATA, SLAB } from './limits.ts';
import type { Transport } from './transport.ts';

const EMPTY = Buffer.alloc(0);

export class Batch {
  readonly #transport: Transport;
  #slab: Buffer = EMPTY;
  /** `#slab[#from..#to]` is written and not yet sent. */
  #from = 0;
  #to = 0;
  /** What goes before the open part of the slab. */
  #ready: Buffer[] = [];
  #bytes = 0;
  #scheduled = false;
  #quiet = true;
  /** Where the DATA frame begins that ends at `#to` and may grow, and its stream; 0 if what came last may not. */
  #dataAt = 0;
  #dataOf = 0;
  readonly #endOfTurn: (step: () => void) => void;
  readonly #flush = (): void => this.flush();

  constructor(transport: Transport, endOfTurn: (step: () => void) => void) {
    this.#transport = transport;
    this.#endOfTurn = endOfTurn;
  }

  /** Frames wait for the end of this turn: one more goes along for nothing. */
  get pending(): boolean {
    return this.#scheduled;
  }

  /** Bytes that the peer's line has not taken yet. */
  get backlog(): number {
    return this.#bytes + this.#transport.backlog;
  }

  /** Makes room for a frame of `size` contiguous bytes in the slab. */
  #reserve(size: number): void {
    this.#dataOf = 0;
    if (this.#slab.length - this.#to < size) {
      this.#cut();
      // The first after a quiet time is small: most tunnels have no more to say than a ping.
      this.#slab = Buffer.allocUnsafeSlow(this.#slab.length === 0 ? Math.max(size, FIRST_SLAB) : SLAB);
      this.#from = 0;
      this.#to = 0;
    }
  }

  /** Moves what the slab holds to the ready list. */
  #cut(): void {
    if (this.#to > this.#from) this.#ready.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
    this.#dataOf = 0;
  }

  #added(size: number): void {
    this.#bytes += size;
    this.#quiet = false;
    if (this.#bytes >= FLUSH_AT) {
      this.flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#endOfTurn(this.#flush);
    }
  }

  /** A frame whose payload is at hand. Takes ownership of large payloads. */
  frame(byte: number, stream: number, payload: Buffer): void {
    if (this.#joins(byte, stream, payload)) return;
    const size = FRAME_HEADER + payload.length;
    if (payload.length <= COPY_UP_TO) {
      this.#reserve(size);
      writeHeader(this.#slab, this.#to, byte, payload.length, stream);
      this.#slab.set(payload, this.#to + FRAME_HEADER);
      this.#dataAt = this.#to;
      this.#dataOf = byte === FRAME.DATA ? stream : 0;
      this.#to += size;
    } else {
      this.#reserve(FRAME_HEADER);
      writeHeader(this.#slab, this.#to, byte, payload.length, stream);
      this.#to += FRAME_HEADER;
      this.#cut();
      this.#ready.push(payload);
    }
    this.#added(size);
  }

  /** Small pieces of one body that come one right after the other are one frame: each costs both ends as much as a large one. */
  #joins(byte: number, stream: number, payload: Buffer): boolean {
    if (stream !== this.#dataOf || (byte & ~FIN) !== FRAME.DATA) return false;
    const length = this.#to - this.#dataAt - FRAME_HEADER + payload.length;
    const room = this.#slab.length - this.#to;
    if (length > MAX_DATA || payload.length > Math.min(room, COPY_UP_TO)) return false;
    writeHeader(this.#slab, this.#dataAt, byte, length, stream);
    this.#slab.set(payload, this.#to);
    this.#to += payload.length;
    if (byte !== FRAME.DATA) this.#dataOf = 0;
    this.#added(payload.length);
    return true;
  }

  /** A frame of latin-1 text behind an optional prefix, written in place. */
  text(byte: number, stream: number, prefix: Buffer, text: string): void {
    const length = prefix.length + text.length;
    if (length > COPY_UP_TO) {
      this.frame(byte, stream, Buffer.concat([prefix, Buffer.from(text, 'latin1')]));
      return;
    }
    this.#reserve(FRAME_HEADER + length);
    writeHeader(this.#slab, this.#to, byte, length, stream);
    this.#slab.set(prefix, this.#to + FRAME_HEADER);
    this.#slab.write(text, this.#to + FRAME_HEADER + prefix.length, 'latin1');
    this.#to += FRAME_HEADER + length;
    this.#added(FRAME_HEADER + length);
  }

  /** A frame with one 32-bit number. */
  number(byte: number, stream: number, value: number): void {
    this.#reserve(FRAME_HEADER + 4);
    writeHeader(this.#slab, this.#to, byte, 4, stream);
    this.#slab.writeUInt32BE(value, this.#to + FRAME_HEADER);
    this.#to += FRAME_HEADER + 4;
    this.#added(FRAME_HEADER + 4);
  }

  /** Sends what was collected. */
  flush(): void {
    this.#scheduled = false;
    this.#cut();
    this.#bytes = 0;
    if (this.#ready.length === 0) return;
    const ready = this.#ready;
    this.#ready = [];
    for (const bytes of ready) this.#transport.send(bytes);
  }

  /** Called each second: gives the slab back when nothing was sent since the last call. */
  tick(): void {
    if (this.#quiet) {
      this.#slab = EMPTY;
      this.#from = 0;
      this.#to = 0;
    }
    this.#quiet = true;
  }
}
