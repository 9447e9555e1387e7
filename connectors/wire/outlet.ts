// Passes the bytes of a stream on to a socket or response, and returns their credit only once that has taken them:
// a reader that stops makes its own sender stop, and nobody else.
import type { Writable } from 'node:stream';
import type { Stream } from './stream.ts';

export class Outlet {
  readonly #target: Writable;
  readonly #stream: Stream;
  #owed = 0;
  #listening = false;

  constructor(target: Writable, stream: Stream) {
    this.#target = target;
    this.#stream = stream;
  }

  write(piece: Buffer): void {
    if (this.#target.write(piece)) {
      this.#stream.consume(piece.length);
      return;
    }
    this.#owed += piece.length;
    if (this.#listening) return;
    // One listener for the life of the stream with the credit added up: adding one for each refused write costs more.
    this.#listening = true;
    this.#target.on('drain', () => {
      const owed = this.#owed;
      this.#owed = 0;
      this.#stream.consume(owed);
    });
  }
}
