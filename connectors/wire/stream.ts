// One stream of a session: credit both ways, what waits to be sent, and who ends it. It must never hold more than
// its window of what the peer sent, nor more than one refused chunk of what its own side wrote.
import type { Batch } from './batch.ts';
import { printable, RESET_CODE, type ResetCode } from './error.ts';
import { FIN, FRAME } from './frame.ts';
import { encodeResponse, encodeTrailers, type ResponseHead } from './head.ts';
import { BYPASS_BYTES, HINTS_BACKLOG, type Limits, MAX_DATA } from './limits.ts';
import type { Pace } from './pace.ts';

/** Whoever is at this end of a stream. After `onReset` nothing more is called. */
export interface StreamHandler {
  onHead(head: ResponseHead, fin: boolean): void;
  onInfo(head: ResponseHead): void;
  /** Every byte must be given back with `stream.consume` once it has gone on; until then it counts against the window. */
  onData(piece: Buffer, fin: boolean): void;
  onTrailers(trailers: string[]): void;
  /** The peer, or the loss of the tunnel, ended the stream. */
  onReset(code: ResetCode | 'lost', detail: string): void;
  /** What `write` refused has gone out. */
  onWritable(): void;
  /** Nothing came or went for the stream's `idleLimit`. */
  onIdle(): void;
}

/** For a stream that was refused: what still comes for it means nothing. */
export const IGNORE: StreamHandler = {
  onHead() {},
  onInfo() {},
  onData() {},
  onTrailers() {},
  onReset() {},
  onWritable() {},
  onIdle() {},
};

const NO_PREFIX = Buffer.alloc(0);
const EMPTY = Buffer.alloc(0);

/** Bytes received and not yet consumed, counted over all sessions of a process. */
export interface Budget {
  held: number;
}

/** What a stream is on: its session, as far as it needs it. */
export interface Carrier {
  readonly limits: Limits;
  readonly budget: Budget;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  readonly batch: Batch;
  readonly pace: Pace;
  /** Bytes that the peer takes on a new stream. */
  readonly peerWindow: number;
  /** Whether bytes may go out now, ahead of what waits. */
  mayPass(stream: Stream, bytes: number): boolean;
  /** The stream has bytes waiting. */
  join(stream: Stream): void;
  /** The stream is over. */
  forget(stream: Stream): void;
}

export class Stream {
  readonly id: number;
  /** Set by whoever opened or accepted the stream, before the next frame. */
  declare handler: StreamHandler;
  /** Seconds of silence after which `onIdle` comes; 0 for never. */
  idleLimit: number;
  /** Seconds without a frame, counted by the session's tick. */
  idle = 0;
  localEnded = false;
  remoteEnded = false;
  /** Gone from its session: nothing is sent or delivered any more. */
  closed = false;
  /** Whether the peer has sent its HEAD: a second one is an error. */
  headSeen = false;
  /** Whether this side opened it: then the peer answers with HEAD. */
  readonly opener: boolean;

  // Sending.
  credit: number;
  waiting: Buffer[] = [];
  waitingBytes = 0;
  #sent = 0;
  #end: 'open' | 'fin' | 'trailers' = 'open';
  #trailers = '';
  #stop = false;
  /** The next in the session's round, while in it. */
  next: Stream | undefined;
  inRound = false;

  // Receiving.
  /** Bytes the peer may still send. */
  granted: number;
  window: number;
  /** Bytes delivered and not yet consumed. */
  held = 0;
  #owed = 0;
  #grantedAt = 0;

  readonly #session: Carrier;

  constructor(session: Carrier, id: number, opener: boolean, idleLimit: number) {
    this.#session = session;
    this.id = id;
    this.opener = opener;
    this.idleLimit = idleLimit;
    this.credit = session.peerWindow;
    this.window = session.limits.window;
    this.granted = this.window;
    this.#grantedAt = session.clock();
  }

  /** Sends the response head. @throws {HeadError} */
  head(status: number, reason: string, headers: readonly string[], fin: boolean): void {
    const text = encodeResponse(status, reason, headers);
    if (this.closed || this.localEnded) return;
    this.#session.batch.text(fin ? FRAME.HEAD | FIN : FRAME.HEAD, this.id, NO_PREFIX, text);
    if (fin) this.#ended();
  }

  /** Accepts a TCP stream. */
  accept(): void {
    if (!this.closed) this.#session.batch.frame(FRAME.HEAD, this.id, EMPTY);
  }

  /** Sends an informational head, unless it would have to wait. @throws {HeadError} */
  info(status: number, headers: readonly string[]): void {
    const text = encodeResponse(status, '', headers);
    const { batch } = this.#session;
    if (this.closed || this.localEnded || batch.backlog > HINTS_BACKLOG) return;
    batch.text(FRAME.INFO, this.id, NO_PREFIX, text);
  }

  /**
   * Sends body bytes and takes ownership of them. False: they wait for credit; write no more until `onWritable`.
   */
  write(chunk: Buffer): boolean {
    if (this.closed || this.#end !== 'open' || chunk.length === 0) return true;
    this.idle = 0;
    if (this.waitingBytes === 0 && chunk.length <= this.credit && this.#session.mayPass(this, chunk.length)) {
      this.#data(chunk, false);
      return true;
    }
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    this.#session.join(this);
    return this.waitingBytes === 0;
  }

  /** Ends this side's direction after what was written, with `last` as the last bytes. */
  end(last?: Buffer): void {
    if (this.closed || this.#end !== 'open') return;
    if (
      last !== undefined &&
      this.waitingBytes === 0 &&
      last.length > 0 &&
      last.length <= this.credit &&
      this.#session.mayPass(this, last.length)
    ) {
      this.#end = 'fin';
      this.#data(last, true);
      this.#ended();
      return;
    }
    if (last !== undefined) this.write(last);
    this.#finish('fin');
  }

  /** Ends this side's direction with trailers. @throws {HeadError} */
  endWithTrailers(trailers: readonly string[]): void {
    const text = encodeTrailers(trailers);
    if (this.closed || this.#end !== 'open') return;
    this.#trailers = text;
    this.#finish('trailers');
  }

  #finish(end: 'fin' | 'trailers'): void {
    this.#end = end;
    if (this.waitingBytes === 0) this.#sendEnd();
  }

  #sendEnd(): void {
    if (this.#end === 'fin') this.#session.batch.frame(FRAME.DATA | FIN, this.id, EMPTY);
    else this.#session.batch.text(FRAME.TRAILERS | FIN, this.id, NO_PREFIX, this.#trailers);
    this.#ended();
  }

  #ended(): void {
    this.#end = 'fin';
    this.localEnded = true;
    this.settle();
    if (this.#stop) this.reset('done');
  }

  /** What the peer still sends is not wanted: it is told so once this side's own direction has gone out. */
  stop(): void {
    this.#stop = true;
    if (this.localEnded) this.reset('done');
  }

  /** Both directions are over: so is the stream. */
  settle(): void {
    if (this.localEnded && this.remoteEnded) this.forget();
  }

  /** Leaves the session: what was held is released, and nothing more is delivered. */
  forget(): void {
    if (this.closed) return;
    this.closed = true;
    this.waiting = [];
    this.waitingBytes = 0;
    this.#session.budget.held -= this.held;
    this.held = 0;
    this.#session.forget(this);
  }

  /** Whether these bytes are of the small start of a body that may pass waiting bulk data. */
  passes(bytes: number): boolean {
    return this.#sent + bytes <= BYPASS_BYTES;
  }

  #data(chunk: Buffer, fin: boolean): void {
    const session = this.#session;
    this.credit -= chunk.length;
    this.#sent += chunk.length;
    session.pace.sent(chunk.length);
    let at = 0;
    for (; chunk.length - at > MAX_DATA; at += MAX_DATA) {
      session.batch.frame(FRAME.DATA, this.id, chunk.subarray(at, at + MAX_DATA));
    }
    session.batch.frame(fin ? FRAME.DATA | FIN : FRAME.DATA, this.id, at === 0 ? chunk : chunk.subarray(at));
  }

  /** One turn of the round: sends up to one DATA frame. False: nothing waits, or there is no credit. */
  turn(): boolean {
    const chunk = this.waiting[0];
    if (chunk === undefined || this.credit === 0) return false;
    const size = Math.min(chunk.length, this.credit, MAX_DATA);
    if (size === chunk.length) this.waiting.shift();
    else this.waiting[0] = chunk.subarray(size);
    this.waitingBytes -= size;
    this.idle = 0;
    const last = this.waitingBytes === 0 && this.#end === 'fin';
    this.#data(chunk.subarray(0, size), last);
    if (last) {
      this.#ended();
    } else if (this.waitingBytes === 0) {
      if (this.#end === 'trailers') this.#sendEnd();
      else this.handler.onWritable();
    }
    return this.waitingBytes > 0 && this.credit > 0;
  }

  /** The peer gave credit. False: none, or more than the protocol can count. */
  credited(bytes: number): boolean {
    this.credit += bytes;
    if (bytes === 0 || this.credit > 0x7fff_ffff) return false;
    if (this.waitingBytes > 0) this.#session.join(this);
    return true;
  }

  /** Takes delivery. False: the peer sent more than it was granted. */
  received(bytes: number): boolean {
    this.idle = 0;
    this.granted -= bytes;
    this.held += bytes;
    this.#session.budget.held += bytes;
    return this.granted >= 0;
  }

  /** `bytes` have gone on to where they belong: their credit returns to the peer once a quarter of the window is owed. */
  consume(bytes: number): void {
    if (this.closed || bytes === 0) return;
    this.held -= bytes;
    this.#session.budget.held -= bytes;
    this.#owed += bytes;
    if (this.remoteEnded || this.#owed < this.window / 4) return;
    const session = this.#session;
    const now = session.clock();
    let grant = this.#owed;
    // A quarter of it went in one trip: the window is what limits the peer, so it may grow.
    const quick = now - this.#grantedAt < session.pace.trip;
    if (quick && this.window < session.limits.maxWindow && session.budget.held < session.limits.maxHeld / 2) {
      const grown = Math.min(session.limits.maxWindow, this.window * 2);
      grant += grown - this.window;
      this.window = grown;
    }
    this.#grantedAt = now;
    this.#owed = 0;
    this.granted += grant;
    session.batch.number(FRAME.WINDOW, this.id, grant);
  }

  /** Ends the stream at once and tells the peer why. `detail` is for logs: never a secret. */
  reset(code: ResetCode, detail = ''): void {
    if (this.closed) return;
    this.#session.batch.text(FRAME.RST, this.id, Buffer.of(RESET_CODE[code]), printable(detail));
    this.forget();
  }
}
