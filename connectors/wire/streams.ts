// The streams of a session by their ids: odd ones are the gateway's, even ones the connector's, each id higher than
// the last. It tells a frame for a stream that is over from one for a stream that never was.
import { WireError } from './error.ts';
import { LAST_STREAM } from './limits.ts';
import type { Stream } from './stream.ts';

export class Streams {
  readonly #open = new Map<number, Stream>();
  /** The last id opened by this side and by the other. */
  #own: number;
  #peer: number;

  constructor(gateway: boolean) {
    this.#own = gateway ? -1 : 0;
    this.#peer = gateway ? 0 : -1;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The highest id that either side has used. */
  get highest(): number {
    return Math.max(this.#own, this.#peer);
  }

  /** No id is left for another stream of this side. */
  get exhausted(): boolean {
    return this.#own >= LAST_STREAM - 2;
  }

  values(): IterableIterator<Stream> {
    return this.#open.values();
  }

  /** The id of the next stream of this side. */
  next(): number {
    this.#own += 2;
    return this.#own;
  }

  /** Takes note of an id that the peer opens. @throws {WireError} `protocol` */
  arrived(id: number): void {
    if (id % 2 !== Math.abs(this.#peer % 2) || id <= this.#peer) {
      throw new WireError('protocol', `OPEN of stream ${id} after ${this.#peer}`);
    }
    this.#peer = id;
  }

  /** A second has passed: each stream that is silent for too long hears of it. */
  tick(): void {
    for (const stream of this.#open.values()) {
      stream.idle += 1;
      if (stream.idleLimit > 0 && stream.idle >= stream.idleLimit) stream.handler.onIdle();
    }
  }

  add(stream: Stream): void {
    this.#open.set(stream.id, stream);
  }

  delete(stream: Stream): void {
    this.#open.delete(stream.id);
  }

  /**
   * Undefined for a stream that was here and is over: what was on its way is dropped.
   * @throws {WireError} `protocol` for one that was never opened.
   */
  find(id: number): Stream | undefined {
    const stream = this.#open.get(id);
    if (stream === undefined) {
      const last = id % 2 === Math.abs(this.#own % 2) ? this.#own : this.#peer;
      if (id > last) throw new WireError('protocol', `stream ${id} was never opened`);
    }
    return stream;
  }
}
