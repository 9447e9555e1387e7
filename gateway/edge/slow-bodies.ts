// Request bodies that trickle: after their time they must keep moving, or the connection ends; what came fast before is no
// credit. What the app is slow to take is not held against the client.
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:tls';
import { BODY_RATE, CHECK_INTERVAL, REQUEST_TIMEOUT } from './limits.ts';
import { hasBody } from './request-body.ts';

interface Watched {
  readonly request: IncomingMessage;
  /** Of the connection when it was last found moving. */
  bytesBefore: number;
  /** Milliseconds since then for which bytes were wanted. */
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
    if (!hasBody(request)) return;
    this.#watched.add({ request, bytesBefore: request.socket.bytesRead, wanted: 0 });
  }

  /** `passed`: milliseconds since the last look. */
  look(passed: number): void {
    for (const one of this.#watched) {
      const { request } = one;
      if (request.complete || request.destroyed) {
        this.#watched.delete(one);
        continue;
      }
      if (request.readableFlowing !== true) continue;
      one.wanted += passed;
      if (one.wanted <= REQUEST_TIMEOUT) continue;
      const { bytesRead } = request.socket;
      if (bytesRead - one.bytesBefore >= (BODY_RATE * one.wanted) / 1000) {
        one.bytesBefore = bytesRead;
        one.wanted = 0;
      } else {
        this.#watched.delete(one);
        this.#onSlow(request);
      }
    }
  }
}
