// Reads a connection in portions: one that says more than can be looked at in a moment must not keep the turn of the event
// loop to itself.
import type { Duplex } from 'node:stream';

/** Bytes of one connection that are read before everybody else has a turn: a few milliseconds of the smallest frames. */
const PORTION: number = 128 * 1024;

/** `heard`: whether what is said there still means anything; if not, no more than a portion of it is read. */
export function takeTurns(socket: Duplex, heard: () => boolean): void {
  let read = 0;
  socket.on('data', ({ length }: Buffer) => {
    read += length;
    if (read < PORTION) return;
    read = 0;
    socket.pause();
    setImmediate(() => heard() && socket.resume());
  });
}
