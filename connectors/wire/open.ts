// The OPEN frame: which app by its id, what kind of stream, and the request. It never carries an address.
import { HeadError, WireError } from './error.ts';
import { KIND, type Kind } from './frame.ts';
import { decodeRequest, type RequestHead } from './head.ts';
import { APP_ID } from './hello.ts';

/** What a peer asks for by opening a stream. A TCP stream has no request. */
export type OpenRequest =
  | { readonly kind: 'http' | 'upgrade'; readonly app: string; readonly request: RequestHead }
  | { readonly kind: 'tcp'; readonly app: string; readonly request?: undefined };

/** The fixed part of OPEN for an app, to be kept and used again. @throws {RangeError} when `app` is no app id. */
export function openPrefix(kind: Kind, app: string): Buffer {
  if (!APP_ID.test(app)) throw new RangeError(`not an app id: ${app}`);
  return Buffer.concat([Buffer.of(KIND[kind], app.length), Buffer.from(app, 'latin1')]);
}

/**
 * @throws {WireError} when the fixed part is malformed: the peer does not speak the protocol.
 * @throws {HeadError} when only the request inside is: the stream is refused.
 */
export function decodeOpen(payload: Buffer): OpenRequest {
  const length = payload[1] as number;
  const end = 2 + length;
  if (end > payload.length) throw new WireError('protocol', 'OPEN: the app id runs past the frame');
  const app = payload.toString('latin1', 2, end);
  if (!APP_ID.test(app)) throw new WireError('protocol', 'OPEN: not an app id');
  switch (payload[0]) {
    case KIND.http:
      return { kind: 'http', app, request: decodeRequest(payload, end) };
    case KIND.upgrade:
      return { kind: 'upgrade', app, request: decodeRequest(payload, end) };
    case KIND.tcp:
      if (end !== payload.length) throw new HeadError('a TCP stream has no head');
      return { kind: 'tcp', app };
    default:
      throw new WireError('protocol', `OPEN: unknown kind ${payload[0]}`);
  }
}
