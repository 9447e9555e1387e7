// What the device's attestation result claims, claim by claim (RFC 9334).
import type { Facts } from '../facts.ts';
import type { Truth } from '../truth.ts';
import { type Claims, claimsDisjoint, claimsHave, claimsImply, claimsNeed, claimsTruth } from './claims.ts';
import type { Criterion } from './criterion.ts';

export const posture: Criterion<Claims> = {
  key: 'device',
  code: 'posture-mismatch',
  truth: (want: Claims, facts: Facts): Truth => claimsTruth(want, facts.request.device),
  need: claimsNeed,
  have: (want, { request }) => claimsHave(want, request.device),
  implies: claimsImply,
  disjoint: claimsDisjoint,
};
