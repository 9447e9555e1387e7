// Passes the bytes of a stream on to a socket or response, and returns their credit only once that has taken them:
// a reader that stops makes its own sender stop, and nobody else.
import type { Writable } from 'node:stream';
import type { Stream } from './stream.ts';

/** Smaller pieces wait joined: one by one each of them would take some hundred bytes that no credit counts. */
const JOINED_BELOW = 1024;
const JOINED: number = 4 * 1024;

export class Outlet {
  readonly #target: Writable;
  readonly #stream: Stream;
  /** Bytes that were handed over, or wait here, and whose credit comes with the next `drain`. */
  #owed = 0;
  #listening = false;
  /** `#joined[..#length]` waits until the target takes more. */
  #joined: Buffer | undefined;
  #length = 0;

  constructor(target: Writable, stream: Stream) {
    this.#target = target;
    this.#stream = stream;
  }

  write(piece: Buffer): void {
    if (this.#owed > 0 && piece.length < JOINED_BELOW) {
      this.#join(piece);
      return;
    }
    this.flush();
    if (this.#target.write(piece)) {
      this.#stream.consume(piece.length);
      return;
    }
    this.#owed += piece.length;
    if (this.#listening) return;
    // One listener for the life of the stream with the credit added up: adding one for each refused write costs more.
    this.#listening = true;
    this.#target.on('drain', () => this.#drained());
  }

  /** Hands over what waits here, whether or not it is taken: to be called before the target is ended. */
  flush(): void {
    const joined = this.#joined?.subarray(0, this.#length);
    this.#joined = undefined;
    this.#length = 0;
    if (joined !== undefined && !this.#target.destroyed) this.#target.write(joined);
  }

  #join(piece: Buffer): void {
    if (this.#length + piece.length > JOINED) this.flush();
    this.#joined ??= Buffer.allocUnsafeSlow(JOINED);
    this.#length += piece.copy(this.#joined, this.#length);
    this.#owed += piece.length;
  }

  #drained(): void {
    const joined = this.#length;
    const owed = this.#owed;
    this.flush();
    // What has just been handed over is taken with the next `drain`, if there is to be one.
    this.#owed = this.#target.writableNeedDrain ? joined : 0;
    this.#stream.consume(owed - this.#owed);
  }
}
