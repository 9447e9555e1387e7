// The closed vocabulary of why a device, its keys or its evidence is refused: one stable code per way to be wrong.
import type { Reason } from './appraisal.ts';
import { TEXTS } from './reason-texts.ts';

export type ReasonCode =
  // Attestation structures (TPMS_ATTEST)
  | 'attest-truncated'
  | 'attest-trailing'
  | 'attest-magic'
  | 'attest-type'
  | 'attest-safe-byte'
  | 'nonce-empty'
  | 'nonce-length'
  | 'nonce-wrong'
  | 'selection-none'
  | 'selection-several'
  | 'selection-count'
  | 'selection-bank'
  | 'selection-empty'
  | 'selection-subset'
  | 'selection-superset'
  | 'pcr-missing'
  | 'pcr-extra'
  | 'pcr-length'
  | 'pcr-digest-length'
  | 'pcr-digest-mismatch'
  // Signatures (TPMT_SIGNATURE)
  | 'signature-truncated'
  | 'signature-trailing'
  | 'signature-scheme'
  | 'signature-hash'
  | 'signature-zero'
  | 'signature-wrong'
  | 'signer-other'
  // Public areas (TPMT_PUBLIC)
  | 'key-truncated'
  | 'key-trailing'
  | 'key-algorithm'
  | 'key-size'
  | 'key-exponent'
  | 'key-off-curve'
  | 'key-roca'
  | 'key-reserved-bits'
  | 'ek-template'
  | 'ak-not-restricted'
  | 'ak-not-fixed-tpm'
  | 'ak-imported'
  | 'ak-decrypts'
  | 'ak-cannot-sign'
  | 'ak-scheme'
  // Endorsement certificates
  | 'ek-certificate-missing'
  | 'ek-certificate-malformed'
  | 'ek-certificate-other-key'
  | 'ek-certificate-purpose'
  | 'ek-certificate-is-ca'
  | 'ek-certificate-key-usage'
  | 'ek-certificate-no-tpm-name'
  | 'ek-certificate-expired'
  | 'ek-certificate-not-yet-valid'
  | 'ek-certificate-critical-extension'
  | 'ek-certificate-signature'
  | 'ek-certificate-weak'
  | 'ek-certificate-revoked'
  | 'ek-issuer-not-ca'
  | 'ek-issuer-path-length'
  | 'ek-chain-untrusted'
  | 'ek-revocation-stale'
  // Enrolment
  | 'token-used'
  | 'token-elsewhere'
  | 'ek-enrolled'
  | 'name-taken'
  | 'challenge-burnt'
  | 'challenge-expired'
  | 'secret-wrong'
  // Devices
  | 'device-unknown'
  | 'device-not-approved'
  | 'device-revoked'
  | 'device-of-connector'
  | 'connector-other'
  // Freshness and relaying
  | 'quote-replayed'
  | 'quote-late'
  | 'evidence-old'
  | 'relayed-channel'
  | 'relayed-key'
  | 'relayed-connector'
  | 'connector-unbound'
  | 'clock-rollback'
  | 'reset-rollback'
  | 'clock-unsafe'
  // The key bound to the session
  | 'bound-key-other'
  | 'bound-key-is-ak'
  | 'bound-key-attributes'
  | 'certify-old'
  // Event log
  | 'log-missing'
  | 'log-too-large'
  | 'log-truncated'
  | 'log-malformed'
  | 'log-swapped'
  | 'log-mismatch'
  | 'event-type-rewritten'
  | 'event-data-rewritten'
  // State of the device
  | 'pcrs-unextended'
  | 'secure-boot-off'
  | 'secure-boot-unknown'
  | 'firmware-debug'
  | 'pcr-not-allowed'
  | 'firmware-too-old'
  | 'command-line'
  | 'command-line-unknown'
  | 'baseline-missing'
  | 'endorsement-pinned'
  | 'posture-missing';

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
