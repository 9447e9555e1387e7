// Round robin over the streams that have bytes waiting: one DATA frame each, while the tunnel may have more in
// flight. No stream is passed over, and one without credit takes no turn.
import type { Pace } from './pace.ts';
import type { Stream } from './stream.ts';

export class Round {
  readonly #pace: Pace;
  #first: Stream | undefined;
  #last: Stream | undefined;
  #running = false;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  get empty(): boolean {
    return this.#first === undefined;
  }

  /** Queues a stream that has bytes and credit; once is enough. */
  join(stream: Stream): void {
    if (stream.inRound || stream.credit === 0) return;
    stream.inRound = true;
    stream.next = undefined;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  /** Sends while there is room. Called when credit, room or bytes arrive. */
  run(): void {
    if (this.#running) return;
    this.#running = true;
    while (this.#first !== undefined && this.#pace.room > 0) {
      const stream = this.#first;
      this.#first = stream.next;
      if (this.#first === undefined) this.#last = undefined;
      stream.next = undefined;
      stream.inRound = false;
      if (!stream.closed && stream.turn()) this.join(stream);
    }
    this.#running = false;
  }
}
