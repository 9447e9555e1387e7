// Ends a connection in order, and not when the other end likes: whoever keeps its side open is cut.
import type { Duplex } from 'node:stream';
import { LINGER } from './limits.ts';

/** Sends `last`, closes our side and reads no more of what comes; after LINGER the connection is gone. */
export function hangUp(socket: Duplex, last?: string): void {
  const cut = setTimeout(() => socket.destroy(), LINGER).unref();
  socket.once('close', () => clearTimeout(cut));
  // Without this the other end's own end would not be seen.
  socket.resume();
  socket.end(last);
}
