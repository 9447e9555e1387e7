// Two transports joined in memory, for tests of sessions: bytes arrive in order, on a later turn, and can be held back.
import type { Transport } from '#connectors/wire/transport';

export interface End extends Transport {
  /** Bytes that were sent and are held on the way. */
  readonly inFlight: number;
  /** Stops (true) or resumes delivery of what this end sends. */
  hold(on: boolean): void;
  /** The line is cut: both ends see a close. */
  cut(why: string): void;
  /** Everything this end has sent, while `record` is set. */
  record?: Buffer[];
}

class MemoryEnd implements End {
  peer: MemoryEnd | undefined;
  record?: Buffer[];
  #onBytes: ((bytes: Buffer) => void) | undefined;
  #onClose: ((why: string) => void) | undefined;
  #queue: Buffer[] = [];
  #held = false;
  #closed = false;
  #scheduled = false;

  get inFlight(): number {
    return this.#queue.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  get backlog(): number {
    return this.inFlight;
  }

  attach(onBytes: (bytes: Buffer) => void, onClose: (why: string) => void): void {
    this.#onBytes = onBytes;
    this.#onClose = onClose;
  }

  send(bytes: Buffer): void {
    if (this.#closed) return;
    this.record?.push(Buffer.from(bytes));
    this.#queue.push(bytes);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#held) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#held) return;
    const queue = this.#queue;
    this.#queue = [];
    for (const bytes of queue) this.peer?.receive(bytes);
  }

  receive(bytes: Buffer): void {
    if (!this.#closed) this.#onBytes?.(bytes);
  }

  hold(on: boolean): void {
    this.#held = on;
    if (!on && this.#queue.length > 0) this.#schedule();
  }

  close(): void {
    setImmediate(() => {
      this.#deliver();
      this.cut('closed');
    });
  }

  terminate(): void {
    this.cut('terminated');
  }

  cut(why: string): void {
    for (const end of [this as MemoryEnd, this.peer]) {
      if (end === undefined || end.#closed) continue;
      end.#closed = true;
      setImmediate(() => end.#onClose?.(why));
    }
  }
}

export function pair(): [End, End] {
  const left = new MemoryEnd();
  const right = new MemoryEnd();
  left.peer = right;
  right.peer = left;
  return [left, right];
}
