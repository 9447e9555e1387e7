// Tells what a client did wrong on its connection from what merely happened to it.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * `code` of an error of Node's parser or server. A connection that broke off asked for nothing, and neither did one that
 * was never used: browsers open some ahead, and balancers look whether anybody is there.
 */
export function isViolation(code: string, socket: Duplex & Partial<Pick<Socket, 'bytesRead'>>): boolean {
  return /^(?:HPE_|ERR_HTTP_)/.test(code) && code !== 'HPE_INVALID_EOF_STATE' && socket.bytesRead !== 0;
}

/** Node's code for a request that was not there in its time. */
export const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
