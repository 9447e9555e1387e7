// What a stream does with a frame that arrives for it: the receiving half of its state machine. A frame out of
// place ends the stream, one that breaks credit ends the session.
import { HeadError, printable, resetName, WireError } from './error.ts';
import { FRAME, frameName } from './frame.ts';
import { decodeResponse, decodeTrailers } from './head.ts';
import type { Stream } from './stream.ts';

/** The empty HEAD that accepts a TCP stream. */
const ACCEPTED = { status: 0, reason: '', headers: [] };
/** A smaller piece is copied off its message when that is several times larger, or it would keep it alive. */
const COPY_PIECES_BELOW = 2048;

function misplaced(stream: Stream, what: string): void {
  stream.reset('stream-state', `${what} out of place`);
  stream.handler.onReset('stream-state', `${what} out of place`);
}

/** A piece of DATA. @throws {WireError} `flow-control` */
export function deliverData(stream: Stream, piece: Buffer, fin: boolean): void {
  if (stream.remoteEnded || (stream.opener && !stream.headSeen)) {
    misplaced(stream, 'DATA');
    return;
  }
  if (!stream.received(piece.length)) {
    throw new WireError('flow-control', `DATA beyond the credit of stream ${stream.id}`);
  }
  const pins = piece.length < COPY_PIECES_BELOW && piece.buffer.byteLength > 4 * piece.length;
  stream.remoteEnded = fin;
  stream.handler.onData(pins ? Buffer.from(piece) : piece, fin);
  stream.settle();
}

/** Any other frame of a stream. @throws {WireError} `flow-control` */
export function deliver(stream: Stream, type: number, fin: boolean, payload: Buffer): void {
  if (type === FRAME.RST) {
    stream.forget();
    stream.handler.onReset(
      resetName(payload[0] as number) ?? 'cancelled',
      printable(payload.toString('latin1', 1)),
    );
    return;
  }
  if (type === FRAME.WINDOW) {
    if (!stream.credited(payload.readUInt32BE(0)))
      throw new WireError('flow-control', 'no credit, or beyond 2 GiB');
    return;
  }
  const afterHead = stream.headSeen || !stream.opener;
  if (stream.remoteEnded || afterHead !== (type === FRAME.TRAILERS)) {
    misplaced(stream, frameName(type));
    return;
  }
  stream.idle = 0;
  try {
    deliverHead(stream, type, fin, payload);
  } catch (error) {
    if (!(error instanceof HeadError)) throw error;
    stream.reset('bad-head', error.message);
    stream.handler.onReset('bad-head', error.message);
  }
}

function deliverHead(stream: Stream, type: number, fin: boolean, payload: Buffer): void {
  if (type === FRAME.TRAILERS) {
    const trailers = decodeTrailers(payload);
    stream.remoteEnded = true;
    stream.handler.onTrailers(trailers);
  } else {
    const head = payload.length === 0 ? ACCEPTED : decodeResponse(payload);
    if (type === FRAME.INFO) {
      stream.handler.onInfo(head);
      return;
    }
    stream.headSeen = true;
    stream.remoteEnded = fin;
    stream.handler.onHead(head, fin);
  }
  stream.settle();
}
