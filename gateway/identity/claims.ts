// From an ID token's claims to the subject and login that policy knows. What a claim does not say clearly is
// left unknown or refused: a guess here would be an allow somewhere else.

import type { ProviderConfig } from '#gateway/config';
import type { Login, Subject } from '#policy/input';

export type Claims = Readonly<Record<string, unknown>>;

/** The provider vouched for a person in a form that cannot be relied on. `code` goes into the event. */
export class ClaimsError extends Error {
  readonly code: 'sub-missing' | 'groups-overage' | 'groups-malformed' | 'too-many-groups' | 'claim-too-long';
  constructor(code: ClaimsError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_GROUPS = 1000;
const MAX_LENGTH = 256;
/** Clocks of provider and gateway may differ by this much, in milliseconds. */
const SKEW = 60_000;

/** Identity is `<issuer>#<sub>`: names and addresses may be reused, that pair may not (OIDC Core 2). */
export function subjectOf(claims: Claims, provider: ProviderConfig): Subject {
  const { sub, iss, name, preferred_username: username, email, email_verified: verified } = claims;
  if (typeof sub !== 'string' || sub === '' || typeof iss !== 'string') {
    throw new ClaimsError('sub-missing', 'the ID token names no subject');
  }
  const label = [name, username].find((text) => typeof text === 'string');
  return {
    kind: 'user',
    id: `${bounded(iss)}#${bounded(sub)}`,
    ...(typeof label === 'string' ? { name: bounded(label) } : {}),
    ...(verified === true && typeof email === 'string' && plainAddress(email) ? { email } : {}),
    groups: names(claims, provider.groupsClaim).map((group) => `${provider.id}:${group}`),
    roles: names(claims, provider.rolesClaim),
  };
}

/** How the person signed in. `now` in epoch milliseconds. */
export function loginOf(claims: Claims, provider: ProviderConfig, now: number): Login {
  const { amr, acr, auth_time: authTime } = claims;
  const methods = Array.isArray(amr)
    ? amr.filter((method) => typeof method === 'string').slice(0, 32)
    : undefined;
  const told = typeof authTime === 'number' && Number.isFinite(authTime);
  const at = told ? authTime * 1000 : now;
  const strong =
    methods?.some((method) => provider.mfa.amr.includes(method)) === true ||
    (typeof acr === 'string' && provider.mfa.acr.includes(acr));
  return {
    provider: provider.id,
    // A provider whose clock is far ahead must not make a sign-in look fresh for longer.
    at: at > now + SKEW ? now : at,
    // Unsaid, it may have been weeks ago: the provider asks nobody who is signed in there.
    ...(strong && told && at <= now + SKEW ? { mfaAt: Math.min(at, now) } : {}),
    ...(methods === undefined ? {} : { amr: methods }),
    ...(typeof acr === 'string' ? { acr: bounded(acr) } : {}),
  };
}

/** Group or role names. Absent is none; a pointer to elsewhere (overage) is a refusal, never "no groups". */
function names(claims: Claims, claim: string): string[] {
  const value = claims[claim];
  const elsewhere = claims['_claim_names'];
  if (typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, claim)) {
    throw new ClaimsError('groups-overage', `the provider left "${claim}" out because there are too many`);
  }
  if (value === undefined || value === null) return [];
  const list = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(list) || list.some((item) => typeof item !== 'string')) {
    throw new ClaimsError('groups-malformed', `the claim "${claim}" is not a list of names`);
  }
  if (list.length > MAX_GROUPS)
    throw new ClaimsError('too-many-groups', `"${claim}" has over ${MAX_GROUPS} names`);
  return list.map(bounded);
}

function bounded(text: string): string {
  if (text.length > MAX_LENGTH)
    throw new ClaimsError('claim-too-long', `a claim is over ${MAX_LENGTH} characters`);
  return text;
}

/** One "@", nothing exotic: `a@x@y` has been read as either domain. */
function plainAddress(email: string): boolean {
  return email.length <= 254 && /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$/.test(email);
}
