// What an allow asks of a request beyond its criteria and the request lacks, in words for an admin.

import { withinAge } from './criteria/age.ts';
import { mfa } from './criteria/mfa.ts';
import { phishing } from './criteria/phishing.ts';
import { listed } from './criteria/sets.ts';
import type { Obligations, Unmet } from './decision.ts';
import type { Facts } from './facts.ts';
import { type Lack, READING, unfulfilled } from './obligations.ts';
import { MET } from './truth.ts';

/** The sign-in itself, whatever was proved in it. */
const signIn = withinAge('maxSession', 'session-too-old', ({ request }) => request.login?.at);

/** Empty where nothing is lacking. */
export function lackInWords(obligations: Obligations | undefined, facts: Facts): readonly Unmet[] {
  const code = unfulfilled(obligations, facts.request);
  return obligations === undefined || code === undefined ? [] : WORDS[code](obligations, facts, code);
}

/** The criterion is the one of the same kind, so that a person is told the same. */
const WORDS: Readonly<Record<Lack, (asked: Obligations, facts: Facts, code: Lack) => readonly Unmet[]>> = {
  'step-up-required': ({ stepUp }, facts, code) => {
    const age = stepUp?.mfa;
    const stale =
      age === undefined || mfa.truth(age, facts) === MET
        ? []
        : [{ criterion: 'mfa', code, need: `a second factor ${mfa.need(age)}`, have: mfa.have(age, facts) }];
    const weak =
      stepUp?.phishingResistant !== true || phishing.truth(true, facts) === MET
        ? []
        : [{ criterion: 'mfa', code, need: phishing.need(true), have: phishing.have(true, facts) }];
    return [...stale, ...weak];
  },
  'session-too-old': ({ maxSession = 0 }, facts, code) => [
    {
      criterion: 'mfa',
      code,
      need: `a sign-in ${signIn.need(maxSession)}`,
      have: signIn.have(maxSession, facts),
    },
  ],
  'read-only': (_asked, { request }, code) => [
    { criterion: 'methods', code, need: listed(READING), have: request.target.method ?? 'unknown' },
  ],
  'obligation-unsupported': ({ redact = '' }, _facts, code) => [
    { criterion: 'redact', code, need: `answers masked by ${redact}`, have: 'no gateway masks answers yet' },
  ],
};
