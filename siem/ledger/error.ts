// Why a log cannot be written or trusted. Whoever gets one of these for a change must not let it take effect.

/**
 * `damaged`: what is on disk is not what was signed · `records-lost`: the outbox lacks what was logged · `loose-mode`:
 * others could read the key · `entry-too-long`: a bundle cannot hold it · `io`: the disk failed or is full ·
 * `closed`.
 */
export type LedgerErrorCode = 'damaged' | 'records-lost' | 'loose-mode' | 'entry-too-long' | 'io' | 'closed';

export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  constructor(code: LedgerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LedgerError';
    this.code = code;
  }
}
