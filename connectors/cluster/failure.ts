// From the errors of dialling and speaking to an app to the code that the gateway is told.
import { HeadError, type ResetCode } from '../wire/error.ts';

/** `connected`: whether the request had a connection when it failed. */
export function failureOf(error: Error, connected: boolean): ResetCode {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
    case 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH':
      return 'bad-head';
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'app-timeout';
  }
  if (error instanceof HeadError) return 'app-error';
  return connected ? 'app-error' : 'app-unreachable';
}
