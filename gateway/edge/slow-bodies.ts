// Request bodies that trickle: after their time they must keep moving, or the connection ends. What the app is slow
// to take is not held against the client.
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:tls';
import { BODY_RATE, CHECK_INTERVAL, REQUEST_TIMEOUT } from './limits.ts';

interface Watched {
  readonly request: IncomingMessage;
  /** Of the connection when the head was there. */
  readonly bytesBefore: number;
  /** Milliseconds for which bytes were wanted. */
  wanted: number;
}

export class SlowBodies {
  readonly #watched = new Set<Watched>();
  readonly #onSlow: (request: IncomingMessage) => void;

  /** `onSlow` ends the connection. */
  constructor(onSlow: (request: IncomingMessage) => void) {
    this.#onSlow = onSlow;
  }

  /** Looks at the watched bodies until `server` closes. */
  attend(server: Server): void {
    const timer = setInterval(() => this.look(CHECK_INTERVAL), CHECK_INTERVAL).unref();
    server.once('close', () => clearInterval(timer));
  }

  watch(request: IncomingMessage): void {
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    if (encoding === undefined && (length === undefined || length === '0')) return;
    this.#watched.add({ request, bytesBefore: request.socket.bytesRead, wanted: 0 });
  }

  /** `passed`: milliseconds since the last look. */
  look(passed: number): void {
    for (const one of this.#watched) {
      const { request, bytesBefore } = one;
      if (request.complete || request.destroyed) {
        this.#watched.delete(one);
        continue;
      }
      if (request.readableFlowing !== true) continue;
      one.wanted += passed;
      const rate = (request.socket.bytesRead - bytesBefore) / (one.wanted / 1000);
      if (one.wanted <= REQUEST_TIMEOUT || rate >= BODY_RATE) continue;
      this.#watched.delete(one);
      this.#onSlow(request);
    }
  }
}
