// Whether the login could not have been phished: bound to the site by a key, whatever the person was tricked into.
import type { Login } from '../input.ts';
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { holdsOneOf } from './sets.ts';

/** OpenID Connect EAP ACR Values 1.0: phishing-resistant, and the same with hardware protection. */
const RESISTANT_ACR: ReadonlySet<string> = new Set(['phr', 'phrh']);
/**
 * RFC 8176 values that only a key or a smart card gives, and `fido`, which Microsoft Entra sends. Not `swk`:
 * some providers send it for push approvals, which can be phished.
 */
const RESISTANT_AMR: ReadonlySet<string> = new Set(['hwk', 'sc', 'fido']);

export const phishing: Criterion<true> = {
  key: 'phishingResistant',
  code: 'phishable-login',
  truth(_want, { request }) {
    const login = request.login;
    if (login === undefined || (login.acr === undefined && login.amr === undefined)) return UNKNOWN;
    return truthOf(isPhishingResistant(login));
  },
  need: () => 'a security key, passkey in hardware or smart card',
  have: (_want, { request }) => request.login?.acr ?? request.login?.amr?.join(', ') ?? 'unknown',
  implies: () => true,
  disjoint: () => false,
};

export function isPhishingResistant({ acr, amr }: Login): boolean {
  return (
    (acr !== undefined && RESISTANT_ACR.has(acr)) || (amr !== undefined && holdsOneOf(amr, RESISTANT_AMR))
  );
}
