// Lets go of a listener without cutting anybody off: no new connections, a last answer on each that is in use, and
// nothing waited for but what is under way.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { owed } from './owed.ts';

/** Milliseconds between two looks at what is still there. */
const LOOK = 50;
const NOBODY: ReadonlySet<unknown> = new Set();

export class Farewell {
  readonly #server: Server;
  readonly #sockets: () => Iterable<Socket>;
  #said = false;

  /** `sockets`: all connections of `server`. */
  constructor(server: Server, sockets: () => Iterable<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /** For whoever asks whether more people should be sent here. */
  get ailments(): readonly string[] {
    return this.#said ? ['stopping: no new connections are taken'] : [];
  }

  /**
   * Takes no new connections, tells those who ask that theirs ends with the answer, and waits until nobody is left who
   * could still ask for something: each remaining connection is one of the `carried()`, which need not all be of this
   * listener. At most `graceMs`; returns what is left of it, in milliseconds.
   */
  async say(graceMs: number, carried: () => ReadonlySet<unknown>): Promise<number> {
    this.#said = true;
    const server = this.#server;
    const last = (_request: IncomingMessage, response: ServerResponse): void => {
      response.shouldKeepAlive = false;
    };
    for (const event of ['request', 'checkContinue', 'checkExpectation']) server.prependListener(event, last);
    for (const socket of this.#sockets()) {
      const response = owed(socket);
      if (response?.headersSent === false) response.shouldKeepAlive = false;
    }
    // Right after the event loop has taken what stood in the kernel's queue: closing resets whatever is left there.
    await nextTurn();
    server.close();
    return this.#wait(graceMs, carried);
  }

  /** After `say`: waits for those who were carried, too. What came for them may still be on its way out. */
  async gone(graceMs: number): Promise<void> {
    await this.#wait(graceMs, () => NOBODY);
  }

  async #wait(graceMs: number, besides: () => ReadonlySet<unknown>): Promise<number> {
    const until = performance.now() + graceMs;
    while (performance.now() < until) {
      this.#server.closeIdleConnections();
      if ((await connections(this.#server)) <= this.#among(besides())) break;
      await sleep(LOOK);
    }
    return Math.max(0, until - performance.now());
  }

  /** How many of our connections are among these. */
  #among(carried: ReadonlySet<unknown>): number {
    let count = 0;
    for (const socket of this.#sockets()) if (carried.has(socket)) count += 1;
    return count;
  }
}

/** Also those in the middle of their TLS handshake. */
function connections(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.getConnections((error, count) => resolve(error === null ? count : 0));
  });
}
