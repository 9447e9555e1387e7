// Tells what a client did wrong on its connection from what merely happened to it.

/** `code` of an error of Node's parser or server; a connection that broke off asked for nothing. */
export function isViolation(code: string): boolean {
  return /^(?:HPE_|ERR_HTTP_)/.test(code) && code !== 'HPE_INVALID_EOF_STATE';
}

/** Node's code for a request that was not there in its time. */
export const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
