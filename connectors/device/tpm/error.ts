// What can go wrong with a TPM, in words a person can act on, and its response codes (TPM 2.0 part 2, 6.6).

export type TpmFailure =
  /** There is none, or it cannot be opened. */
  | 'no-tpm'
  /** It answered nonsense, or not at all. */
  | 'broken'
  /** It has locked itself after too many failures. */
  | 'lockout'
  /** It no longer knows our keys: it was cleared, or it is another TPM. */
  | 'key-lost'
  /** It lacks what is needed: an EK, a bank, an algorithm. */
  | 'unsuited'
  /** Any other response code. */
  | 'refused';

export class TpmError extends Error {
  readonly code: TpmFailure;
  /** The TPM's own response code, where it gave one. */
  readonly response: number | undefined;

  constructor(code: TpmFailure, message: string, options?: ErrorOptions & { readonly response?: number }) {
    super(message, options);
    this.name = 'TpmError';
    this.code = code;
    this.response = options?.response;
  }
}

export const RC: Readonly<
  Record<
    | 'initialize'
    | 'yielded'
    | 'testing'
    | 'lockout'
    | 'retry'
    | 'handle'
    | 'integrity'
    | 'authFail'
    | 'badAuth',
    number
  >
> = {
  initialize: 0x100,
  yielded: 0x908,
  testing: 0x90a,
  lockout: 0x921,
  retry: 0x922,
  /** Format 1: the low bits say which handle, session or parameter is meant. */
  handle: 0x8b,
  integrity: 0x9f,
  authFail: 0x8e,
  badAuth: 0xa2,
};

/** Format-1 codes without the number of the handle, session or parameter they speak of. */
export function kindOf(response: number): number {
  return (response & 0x80) === 0 ? response : response & 0xbf;
}

/** The error for a response code other than success. */
export function refusal(command: string, response: number): TpmError {
  const hex = `0x${response.toString(16)}`;
  const make = (code: TpmFailure, words: string): TpmError =>
    new TpmError(code, `TPM2_${command}: ${words} (${hex})`, { response });
  switch (kindOf(response)) {
    case RC.initialize:
      return make('broken', 'the TPM was not started by the firmware');
    case RC.lockout:
      return make('lockout', 'the TPM has locked itself; it opens again by itself after a while');
    case RC.integrity:
      return make('key-lost', 'the TPM does not know this key: it was cleared, or it is another TPM');
    case RC.authFail:
    case RC.badAuth:
      return make('unsuited', 'the endorsement hierarchy has a password, which enrolment cannot work with');
    default:
      return make('refused', 'the TPM refused');
  }
}
