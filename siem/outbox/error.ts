// Why a record could not be kept. Whoever gets one of these must deny: nothing is allowed without its record.
import { describeSystemError } from '../system-error.ts';

/**
 * `quota`: the outbox is full of records that sinks still need · `no-space`: the disk is full · `io`: the disk
 * failed · `unencodable`: one record is too long or no JSON · `closed` · `locked`: another gateway owns the
 * directory · `loose-mode`: others could read it.
 */
export type OutboxErrorCode =
  | 'quota'
  | 'no-space'
  | 'io'
  | 'unencodable'
  | 'closed'
  | 'locked'
  | 'loose-mode';

export class OutboxError extends Error {
  readonly code: OutboxErrorCode;
  constructor(code: OutboxErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OutboxError';
    this.code = code;
  }
}

/** Names a failure of the operating system in our words. */
export function outboxErrorOf(cause: unknown): OutboxError {
  if (cause instanceof OutboxError) return cause;
  const system = (cause as NodeJS.ErrnoException).code;
  if (system === 'ENOSPC' || system === 'EDQUOT') {
    return new OutboxError('no-space', 'the disk of the outbox is full', { cause });
  }
  const why = describeSystemError(cause) ?? system ?? 'unknown error';
  return new OutboxError('io', `the outbox cannot be written: ${why}`, { cause });
}
