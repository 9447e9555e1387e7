// The requests of one connection, one after another: what may change something is begun when all before it are answered,
// and what only reads while nothing else is under way. HTTP lets no more be done at once (RFC 9112 section 9.3.2).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { owed } from './owed.ts';

/** The last request of a connection that came before others were answered. */
interface Latest {
  readonly response: ServerResponse;
  /** It only reads, and so do all before it that are not answered yet. */
  readonly reads: boolean;
}

export class Turns {
  readonly #latest = new WeakMap<Duplex, Latest>();

  /** Calls `begin` when it is this request's turn: mostly at once, and never if its connection is lost before. */
  wait(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
    const { socket } = request;
    const first = owed(socket);
    if (first === undefined || first === response) {
      begin();
      return;
    }
    const before = this.#latest.get(socket) ?? { response: first, reads: onlyReads(first.req) };
    const reads = before.reads && onlyReads(request);
    const latest = { response, reads };
    this.#latest.set(socket, latest);
    response.once('close', () => {
      if (this.#latest.get(socket) === latest) this.#latest.delete(socket);
    });
    if (reads) begin();
    else before.response.once('close', () => socket.destroyed || begin());
  }
}

function onlyReads({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** Calls `say` when all whole requests before what came last are answered: before, it would pass for their answer. */
export function afterAnswers(socket: Duplex, say: () => void): void {
  const before = owed(socket);
  if (before?.req.complete !== true) say();
  else before.once('close', () => afterAnswers(socket, say));
}
