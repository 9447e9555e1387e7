// What every place that events are shipped to must do, and how it may fail. A sink must never acknowledge what its
// receiver has not, and must never put a credential into an error.

/** One record on its way: the exact bytes of the outbox's line, without the newline. */
export interface Shipment {
  readonly line: Buffer;
}

/** Per record, in the order given. `rejected`: this receiver will never take it. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'retry'; readonly why: string }
  | { readonly kind: 'rejected'; readonly why: string };

export const DELIVERED: Verdict = Object.freeze({ kind: 'delivered' });

export interface Sink {
  readonly name: string;
  readonly type: string;
  /**
   * Hands over records in order. Answers one verdict for each when the receiver has acknowledged.
   * Throws SinkError if nothing is known to have arrived.
   */
  deliver(batch: readonly Shipment[], signal: AbortSignal): Promise<readonly Verdict[]>;
  close(): Promise<void>;
}

/** What an error of the network or of TLS was, with what to do about the one that operators can mend. */
export function troubleOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code ?? (cause as Error).name;
  const untrusted = /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED/.test(code);
  return untrusted ? `${code}: its certificate is not trusted. Name its authority as ca` : code;
}

/**
 * `unavailable`: try again later · `refused`: credentials or settings are wrong; try again, and tell the operator ·
 * `batch-rejected`: something in this batch is not acceptable; try its parts.
 */
export type SinkErrorCode = 'unavailable' | 'refused' | 'batch-rejected';

export class SinkError extends Error {
  readonly code: SinkErrorCode;
  /** Milliseconds the receiver asked us to wait. */
  readonly retryAfterMs: number | undefined;
  constructor(
    code: SinkErrorCode,
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number },
  ) {
    super(message, options);
    this.name = 'SinkError';
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
  }
}
