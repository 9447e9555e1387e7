// Joins a stream and a socket, byte for byte, once both sides have agreed: upgraded connections and TCP.
// It must never let one side end quietly when the other broke.
import type { Duplex } from 'node:stream';
import type { ResetCode } from './error.ts';
import { Outlet } from './outlet.ts';
import type { Stream, StreamHandler } from './stream.ts';

/** How a splice ended: both directions in order, or whoever broke it. */
export type SpliceEnd = 'completed' | 'socket' | 'stream';

/** Milliseconds that a side which goes on talking to nobody is listened to. */
const LINGER = 5_000;
/** Milliseconds in which something of what waits for a side must go out to it, where nothing else will come. */
const STUCK = 120_000;

export class Splice implements StreamHandler {
  /** Bytes read from the socket, and written to it. */
  bytesRead = 0;
  bytesWritten = 0;
  readonly #socket: Duplex;
  readonly #stream: Stream;
  readonly #outlet: Outlet;
  readonly #onEnd: (end: SpliceEnd, detail: string) => void;
  #over = false;

  /** `first`: bytes that were read from the socket already. `onEnd` comes once. */
  constructor(
    socket: Duplex,
    stream: Stream,
    first: Buffer,
    onEnd: (end: SpliceEnd, detail: string) => void,
  ) {
    this.#socket = socket;
    this.#stream = stream;
    this.#outlet = new Outlet(socket, stream);
    this.#onEnd = onEnd;
    stream.idleLimit = 0;
    let broken = '';
    let ended = false;
    socket.on('error', (error: Error) => {
      broken = error.message;
    });
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => {
      ended = true;
      stream.end();
    });
    socket.on('close', () => {
      // An app that ended first and then did not want what still came has said all the same what it had to say. Of what
      // was said to this side, nothing may be left.
      const whole = stream.closed ? socket.writableFinished : ended;
      if (broken === '' ? whole : ended && !stream.opener) {
        // It said all it had to say: what of that still waits for credit goes out, and only then is the peer told
        // that nobody listens any more. A reset now would cut it off.
        stream.stop();
        this.#finish('completed', '');
      } else {
        stream.reset('cancelled', broken);
        this.#finish('socket', broken);
      }
    });
    if (first.length > 0) this.#read(first);
    socket.resume();
  }

  #read(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    if (!this.#stream.write(chunk)) this.#socket.pause();
  }

  #finish(end: SpliceEnd, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#onEnd(end, detail);
  }

  onData(piece: Buffer, fin: boolean): void {
    if (this.#socket.destroyed) {
      this.#stream.consume(piece.length);
      return;
    }
    this.bytesWritten += piece.length;
    if (piece.length > 0) this.#outlet.write(piece);
    if (fin) this.#end();
  }

  onWritable(): void {
    this.#socket.resume();
  }

  onReset(code: ResetCode | 'lost', detail: string): void {
    if (code === 'done') {
      this.#linger();
      return;
    }
    this.#finish('stream', `${code} ${detail}`.trim());
    this.#socket.destroy();
  }

  /**
   * The other side has sent everything and closed. Its last bytes may still be on their way out of our socket, for as
   * long as a slow line takes: it ends only with them. Destroying it with unread input would make TCP throw them away,
   * so what still comes in is read and dropped.
   */
  #linger(): void {
    const socket = this.#socket;
    socket.removeAllListeners('data');
    socket.resume();
    let left = Number.NaN;
    let timer = setInterval(() => {
      if (socket.writableLength === left) socket.destroy();
      left = socket.writableLength;
    }, STUCK);
    const out = (): void => {
      clearInterval(timer);
      this.#finish('completed', '');
      timer = setTimeout(() => socket.destroy(), LINGER);
    };
    if (socket.writableFinished) out();
    else socket.once('finish', out);
    socket.once('close', () => clearTimeout(timer));
    this.#end();
  }

  #end(): void {
    this.#outlet.flush();
    this.#socket.end();
  }

  /** Nothing but bytes may come once the two are joined; a head was refused before it got here. */
  onHead(): void {}
  onInfo(): void {}
  onTrailers(): void {
    this.#end();
  }
  onIdle(): void {}
}
