// Hears an app out that answers and closes while a request is still being sent to it: what it said before it closed is
// there to be read when a write fails, and is lost if the connection is given up for that.
import type { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

/**
 * From now on a write of `socket` that fails breaks the connection only when all that came is read, which is when the other
 * side's end is: as that error, since an end behind a failure is none (RFC 9112 section 8).
 */
export function hearOut(socket: Socket): void {
  const { _write, _writev, push } = socket;
  let give: (() => void) | undefined;
  const held =
    (done: Done): Done =>
    (error) => {
      if (error && !socket.destroyed && !socket.readableEnded) give = () => done(error);
      else done(error);
    };
  socket._write = (chunk, encoding, done) => _write.call(socket, chunk, encoding, held(done));
  socket._writev = (chunks, done) => _writev?.call(socket, chunks, held(done));
  socket.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk !== null || give === undefined) return push.call(socket, chunk, encoding);
    give();
    return false;
  };
}
