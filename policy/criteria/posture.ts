// What the device's attestation result claims, claim by claim (RFC 9334): a missing claim is unknown, not false.
import { type Facts, POSTURE } from '../facts.ts';
import { MET, type Truth, UNKNOWN, UNMET } from '../truth.ts';
import type { Criterion } from './criterion.ts';

/** Bits of `POSTURE` that must be true, and that must be false. */
export interface Posture {
  readonly yes: number;
  readonly no: number;
}

const CLAIMS = Object.entries(POSTURE);

export const posture: Criterion<Posture> = {
  key: 'device',
  code: 'posture-mismatch',
  truth({ yes, no }: Posture, facts: Facts): Truth {
    const known = facts.postureKnown();
    const on = facts.postureTrue();
    if ((yes & known & ~on) !== 0 || (no & on) !== 0) return UNMET;
    return ((yes | no) & ~known) === 0 ? MET : UNKNOWN;
  },
  need: ({ yes, no }) => [...named(yes), ...named(no).map((claim) => `not ${claim}`)].join(', '),
  have({ yes, no }, facts) {
    const known = facts.postureKnown();
    const on = facts.postureTrue();
    const asked = CLAIMS.filter(([, bit]) => ((yes | no) & bit) !== 0);
    return asked
      .map(([claim, bit]) =>
        (known & bit) === 0 ? `${claim} unknown` : `${(on & bit) === 0 ? 'not ' : ''}${claim}`,
      )
      .join(', ');
  },
  implies: (a, b) => (b.yes & ~a.yes) === 0 && (b.no & ~a.no) === 0,
  disjoint: (a, b) => (a.yes & b.no) !== 0 || (a.no & b.yes) !== 0,
};

function named(bits: number): string[] {
  return CLAIMS.filter(([, bit]) => (bits & bit) !== 0).map(([claim]) => claim);
}
