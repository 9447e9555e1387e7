// The ways a tunnel can go wrong, as closed sets of codes that both ends and the logs share.

import { MAX_DETAIL } from './limits.ts';

/** Why a session ends: the code byte of GOAWAY. */
export const GOAWAY_CODE = {
  'going-away': 0,
  protocol: 1,
  'flow-control': 2,
  limits: 3,
  version: 4,
  silent: 5,
  refused: 6,
} as const;
export type GoawayCode = keyof typeof GOAWAY_CODE;

/** Why a stream ends early: the code byte of RST. */
export const RESET_CODE = {
  /** The answer is complete; the rest of the request is not wanted. */
  done: 0,
  /** The sender's own side went away: a client's abort, a revocation. */
  cancelled: 1,
  /** Not taken: too many streams, or too many bytes held. Nothing was done. */
  refused: 2,
  'unknown-app': 3,
  'app-unreachable': 4,
  'app-timeout': 5,
  'app-error': 6,
  'bad-head': 7,
  /** A well-formed frame that this stream cannot have now. */
  'stream-state': 8,
} as const;
export type ResetCode = keyof typeof RESET_CODE;

const goawayNames = new Map<number, GoawayCode>(
  Object.entries(GOAWAY_CODE).map(([name, code]) => [code, name as GoawayCode]),
);
const resetNames = new Map<number, ResetCode>(
  Object.entries(RESET_CODE).map(([name, code]) => [code, name as ResetCode]),
);

/** Undefined for a byte that version 1 does not know. */
export function goawayName(code: number): GoawayCode | undefined {
  return goawayNames.get(code);
}

/** Undefined for a byte that version 1 does not know. */
export function resetName(code: number): ResetCode | undefined {
  return resetNames.get(code);
}

/** A violation of the protocol, or the end of a session: `code` is what the peer is told. */
export class WireError extends Error {
  readonly code: GoawayCode;

  constructor(code: GoawayCode, message: string) {
    super(message);
    this.name = 'WireError';
    this.code = code;
  }
}

/** A head that cannot be carried: only its stream fails. */
export class HeadError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'HeadError';
  }
}

/** A detail fit for a frame and a log line: printable ASCII, bounded. */
export function printable(detail: string): string {
  return detail.slice(0, MAX_DETAIL).replace(/[^\x20-\x7e]/g, '?');
}
