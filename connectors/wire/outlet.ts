// Passes the bytes of a stream on to a socket or response, and returns their credit only once that has taken them:
// a reader that stops makes its own sender stop, and nobody else.
import type { Writable } from 'node:stream';
import { IN_HAND } from './limits.ts';
import type { Stream } from './stream.ts';

/** A smaller piece is joined with others while one is on its way out: each takes some hundred bytes that no credit counts. */
const SMALL = 1024;
const JOINED: number = 4 * 1024;

/** A piece, and what is to be told once it is out of the target. */
interface Passing {
  readonly bytes: Buffer;
  readonly gone: (() => void) | undefined;
}

/** Small pieces go out as Nagle has it (RFC 896): at once if none is on its way, and else together when that has gone. */
export class Outlet {
  readonly #target: Writable;
  readonly #stream: Stream;
  /** Bytes that the target has and did not want to have: their credit comes with its next `drain`. */
  #owed = 0;
  /** What the target is not given before it has let go of some. */
  #behind: Passing[] = [];
  #listening = false;
  /** A small piece is on its way out of the target. */
  #underWay = false;
  /** `#joined[..#length]` waits for it. */
  #joined: Buffer | undefined;
  #length = 0;
  readonly #gone = (): void => {
    this.#underWay = this.#length > 0;
    if (this.#underWay) this.#unjoin(this.#gone);
  };

  constructor(target: Writable, stream: Stream) {
    this.#target = target;
    this.#stream = stream;
  }

  write(piece: Buffer): void {
    if (piece.length >= SMALL) {
      this.#unjoin();
      this.#pass(piece);
    } else if (this.#underWay) {
      this.#join(piece);
    } else {
      this.#underWay = true;
      this.#pass(piece, this.#gone);
    }
  }

  /** Hands over all that waits here: to be called before the target is ended. */
  flush(): void {
    this.#unjoin();
    for (const { bytes, gone } of this.#behind.splice(0)) this.#hand(bytes, gone);
  }

  #unjoin(gone?: () => void): void {
    const bytes = this.#joined?.subarray(0, this.#length);
    this.#joined = undefined;
    this.#length = 0;
    if (bytes !== undefined) this.#pass(bytes, gone);
  }

  #join(piece: Buffer): void {
    if (this.#length + piece.length > JOINED) this.#unjoin();
    this.#joined ??= Buffer.allocUnsafeSlow(JOINED);
    this.#length += piece.copy(this.#joined, this.#length);
  }

  #pass(bytes: Buffer, gone?: () => void): void {
    if (this.#behind.length === 0 && this.#room) this.#hand(bytes, gone);
    else this.#behind.push({ bytes, gone });
  }

  #catchUp(): void {
    while (this.#room) {
      const next = this.#behind.shift();
      if (next === undefined) return;
      this.#hand(next.bytes, next.gone);
    }
  }

  /** Also while nothing is owed: then no `drain` would come. */
  get #room(): boolean {
    return this.#owed === 0 || this.#target.writableLength < IN_HAND;
  }

  #hand(bytes: Buffer, gone: (() => void) | undefined): void {
    if (this.#target.write(bytes, gone)) {
      this.#stream.consume(bytes.length);
      return;
    }
    this.#owed += bytes.length;
    if (this.#listening) return;
    // One listener for the life of the stream with the credit added up: adding one for each refused write costs more.
    this.#listening = true;
    this.#target.on('drain', () => {
      const owed = this.#owed;
      this.#owed = 0;
      this.#stream.consume(owed);
      this.#catchUp();
    });
  }
}
