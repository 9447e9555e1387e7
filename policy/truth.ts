// The three values a criterion can take, and the one rule about them: an unknown fact works against access.

/** The fact is known and is not what the criterion asks. */
export const UNMET = 0;
/** The fact is missing, unreadable or impossible (a login in the future). */
export const UNKNOWN = 1;
/** The fact is known and is what the criterion asks. */
export const MET = 2;

export type Truth = typeof UNMET | typeof UNKNOWN | typeof MET;

/** What lets a rule allow must be known to hold: a criterion passes when its truth reaches this. */
export const TO_ALLOW: Truth = MET;
/** What lets a rule deny need only not be known to fail: a criterion passes when its truth reaches this. */
export const TO_DENY: Truth = UNKNOWN;

export function truthOf(condition: boolean): Truth {
  return condition ? MET : UNMET;
}
