// A TCP connection to an app: opened when a stream asks for it, joined byte for byte, never pooled. It must never
// join two before the app has answered.
import type { Socket } from 'node:net';
import type { ResetCode } from '../wire/error.ts';
import { Splice } from '../wire/splice.ts';
import { IGNORE, type Stream, type StreamHandler } from '../wire/stream.ts';
import type { App } from './app.ts';
import { failureOf } from './failure.ts';

const NOTHING: Buffer = Buffer.alloc(0);

/** Dials the app and joins it to `stream`, whose opener may have `ended` it already; what comes before that waits within the stream's window. */
export function plainExchange(app: App, stream: Stream, ended: boolean): StreamHandler {
  const early: { readonly piece: Buffer; readonly fin: boolean }[] = ended
    ? [{ piece: NOTHING, fin: true }]
    : [];
  app.dial((error, socket) => {
    if (socket === undefined || error !== null) {
      stream.reset(failureOf(error ?? new Error('no connection'), false), error?.message ?? '');
    } else if (stream.closed) socket.destroy();
    else join(app, stream, socket, early);
  });
  return {
    ...IGNORE,
    onData: (piece, fin) => void early.push({ piece, fin }),
    onReset: (_code: ResetCode | 'lost') => void early.splice(0),
  };
}

function join(
  app: App,
  stream: Stream,
  socket: Socket,
  early: readonly { readonly piece: Buffer; readonly fin: boolean }[],
): void {
  app.keepUpgraded(socket);
  stream.accept();
  // TCP's own word for a break: an orderly close would let the app take half an upload for the whole.
  const splice = new Splice(socket, stream, NOTHING, (end) => {
    if (end === 'stream') socket.resetAndDestroy();
  });
  stream.handler = splice;
  for (const { piece, fin } of early) splice.onData(piece, fin);
}
