// Why the store cannot be used, in words for whoever runs the gateway.

export type StateFailure =
  /** Owned by another process. */
  | 'state-locked'
  /** The disk, or what lies on it, does not let it be used. */
  | 'state-unusable'
  /** Written by a newer Sallyport. */
  | 'state-newer'
  /** Redis cannot be reached, or does not answer in time. */
  | 'state-unreachable'
  /** The replicas that a write must reach did not acknowledge it: it may be lost with the primary. */
  | 'state-unacknowledged'
  /** A record was sealed with another secret, or was changed by somebody without it. */
  | 'state-sealed'
  /** A Redis that cannot hold a state: a replica, or too old. */
  | 'state-unfit'
  /** What is here and what is there exclude each other. */
  | 'state-conflict';

export class StateError extends Error {
  readonly code: StateFailure;
  constructor(code: StateFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
