// One piece of evidence that has to be refused, and the device it is said to come from.
import type { Appraisal, EvidenceBinding } from '#gateway/attest/appraisal';
import type { ReasonCode } from '#gateway/attest/reasons';
import type { Changed, Laboratory } from './laboratory.ts';
import type { SoftwareTpm } from './software-tpm.ts';

/** A device in an approved state, whose evidence is affirmed. */
export interface Honest {
  readonly lab: Laboratory;
  readonly device: string;
  readonly tpm: SoftwareTpm;
}

export interface BadEvidence {
  readonly name: string;
  readonly code: ReasonCode;
  readonly attest: (honest: Honest) => Promise<Appraisal>;
}

/** One attestation with something changed. */
export function changed(
  name: string,
  code: ReasonCode,
  change: (honest: Honest) => Changed,
  binding: Partial<EvidenceBinding> = {},
): BadEvidence {
  return {
    name,
    code,
    attest: (honest) => honest.lab.attest(honest.device, honest.tpm, change(honest), binding),
  };
}
