// What a provider's logout token says (OpenID Connect Back-Channel Logout 1.0, section 2.6): all its checks, or nothing.
import { type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { ProviderConfig } from '#gateway/config';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Seconds by which the provider's clock may differ, and for which a token is good. */
const SKEW = 60;
const MAX_AGE = '5 minutes';
const MAX_ID = 256;

/** Whose sessions end: a person's, or the one that the provider calls `session`; at least one is there. */
export interface LogoutWish {
  readonly subject?: string;
  readonly session?: string;
  /** Names the token: a second one of the same name is a copy. */
  readonly token: string;
  /** Epoch milliseconds after which no copy would be taken. */
  readonly expiresAt: number;
}

/** Throws when the token is not a provider's wish to us, signed by it, and fresh. */
export async function readLogoutToken(
  token: string,
  provider: ProviderConfig,
  keys: JWTVerifyGetKey,
  now: number,
): Promise<LogoutWish> {
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    algorithms: [provider.signingAlgorithm],
    issuer: provider.issuer,
    audience: provider.clientId,
    maxTokenAge: MAX_AGE,
    clockTolerance: SKEW,
    currentDate: new Date(now),
    requiredClaims: ['iat', 'jti', 'exp', 'events'],
  });
  const { typ } = protectedHeader;
  if (typ !== undefined && !/^(?:application\/)?logout\+jwt$|^jwt$/i.test(typ))
    throw new Error(`typ is ${typ}`);
  const { events, nonce, sub, sid, jti = '', exp = 0 } = payload;
  const event =
    typeof events === 'object' && events !== null
      ? Object.getOwnPropertyDescriptor(events, EVENT)
      : undefined;
  if (typeof event?.value !== 'object' || event.value === null) throw new Error('it is no logout event');
  // An ID token must never be taken for a logout token.
  if (nonce !== undefined) throw new Error('it has a nonce');
  if (sub === undefined && sid === undefined) throw new Error('it names neither a person nor a session');
  // A name that sign-ins do not keep, for its length, stands for all sessions of the person.
  const isKept = typeof sid !== 'string' || sid.length <= MAX_ID || sub === undefined;
  return {
    token: bounded(jti),
    expiresAt: (exp + SKEW) * 1000,
    ...(sub === undefined ? {} : { subject: `${provider.issuer}#${bounded(sub)}` }),
    ...(sid === undefined || !isKept ? {} : { session: bounded(sid) }),
  };
}

function bounded(text: unknown): string {
  if (typeof text !== 'string' || text === '' || text.length > MAX_ID)
    throw new Error('a claim is malformed');
  return text;
}
