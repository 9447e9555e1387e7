// Every number of the front in one place. None may be raised without asking what it lets a stranger hold here.

/** Milliseconds from the TLS handshake's first byte to its last. */
export const HANDSHAKE_TIMEOUT = 5_000;
/** Milliseconds for a request's head: also on a machine that is busy with thousands of them, all are gone in ten seconds. */
export const HEADERS_TIMEOUT = 7_000;
/** Milliseconds between two looks at what stalls. */
export const CHECK_INTERVAL = 1_000;
/** Milliseconds in which a request's body arrives; a longer one is a stream and has to keep moving. */
export const REQUEST_TIMEOUT = 30_000;
/** Bytes a second, on average over REQUEST_TIMEOUT, by which a streamed body counts as moving. */
export const BODY_RATE = 512;
/** Milliseconds a client may take to read an answer of our own. */
export const ANSWER_TIMEOUT = 30_000;
/** Milliseconds an unused connection is kept. */
export const KEEP_ALIVE = 60_000;
/** Milliseconds a connection may go without a request, whatever else is said on it: unused, and then a request's head. */
export const WAIT: number = KEEP_ALIVE + HEADERS_TIMEOUT + CHECK_INTERVAL;
/** Milliseconds left to the other end for a last answer, and to close its side, after we closed ours. */
export const LINGER = 2_000;
/** Requests of one connection under way at once: whoever sends more ahead of their answers has us keep what it likes. */
export const PIPELINED = 32;

export const HEADER_BYTES: number = 16 * 1024;
export const MAX_HEADERS = 100;
/** RFC 1035's 253 and a port. */
export const MAX_HOST = 259;
export const MAX_TARGET = 8192;
/** Bytes of a form or API call of our own. */
export const OWN_BODY: number = 64 * 1024;

/** Connections at once, all together and from one address (an IPv6 client has a /64 network of them). */
export interface ConnectionLimits {
  readonly connections: number;
  readonly perAddress: number;
}
