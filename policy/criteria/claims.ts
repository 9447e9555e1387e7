// The claims of an attestation result (RFC 9334), as rules ask for them of any machine: a missing claim is unknown, not
// false.
import { POSTURE, postureKnown, postureTrue } from '../facts.ts';
import type { Posture } from '../input.ts';
import { MET, type Truth, UNKNOWN, UNMET } from '../truth.ts';

/** Bits of `POSTURE` that must be true, and that must be false. */
export interface Claims {
  readonly yes: number;
  readonly no: number;
}

const CLAIMS = Object.entries(POSTURE);

export function claimsTruth({ yes, no }: Claims, machine: Posture | undefined): Truth {
  const known = postureKnown(machine);
  const on = postureTrue(machine);
  if ((yes & known & ~on) !== 0 || (no & on) !== 0) return UNMET;
  return ((yes | no) & ~known) === 0 ? MET : UNKNOWN;
}

export function claimsNeed({ yes, no }: Claims): string {
  return [...named(yes), ...named(no).map((claim) => `not ${claim}`)].join(', ');
}

export function claimsHave({ yes, no }: Claims, machine: Posture | undefined): string {
  const known = postureKnown(machine);
  const on = postureTrue(machine);
  const asked = CLAIMS.filter(([, bit]) => ((yes | no) & bit) !== 0);
  return asked
    .map(([claim, bit]) =>
      (known & bit) === 0 ? `${claim} unknown` : `${(on & bit) === 0 ? 'not ' : ''}${claim}`,
    )
    .join(', ');
}

export function claimsImply(a: Claims, b: Claims): boolean {
  return (b.yes & ~a.yes) === 0 && (b.no & ~a.no) === 0;
}

export function claimsDisjoint(a: Claims, b: Claims): boolean {
  return (a.yes & b.no) !== 0 || (a.no & b.yes) !== 0;
}

function named(bits: number): string[] {
  return CLAIMS.filter(([, bit]) => (bits & bit) !== 0).map(([claim]) => claim);
}
