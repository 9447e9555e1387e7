// A refusal of a device, its keys or its evidence, by its code and in words.
import { TEXTS } from './reason-texts.ts';
import type { Reason, ReasonCode } from './reasons.ts';

export const REASON_CODES: readonly ReasonCode[] = Object.keys(TEXTS) as ReasonCode[];

export function reasonOf(code: ReasonCode): Reason {
  const [message, remedy] = TEXTS[code];
  return { code, message, remedy };
}

/** Refused. `message` is for whoever runs the device; `cause` may say more, for the gateway's own log. */
export class AttestationRefusal extends Error {
  readonly code: ReasonCode;
  readonly remedy: string;
  /** Id or name of the device, as far as it was known by then. */
  readonly device: string | undefined;

  constructor(code: ReasonCode, device?: string, options?: ErrorOptions) {
    const { message, remedy } = reasonOf(code);
    super(message, options);
    this.code = code;
    this.remedy = remedy;
    this.device = device;
  }
}
