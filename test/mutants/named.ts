// The files whose every slip must be caught, and the tests that must catch it: what decides, sessions, the authority
// and enrolment.
import type { Change } from './copy.ts';

export interface Named {
  readonly file: string;
  /** Tried until one fails, those that take the least time first. */
  readonly tests: readonly string[];
}

const POLICY = ['policy/decide.test.ts', 'policy/agreement.test.ts', 'policy/laws.test.ts'];
const SESSIONS = [
  'gateway/identity/identity.test.ts',
  'gateway/identity/sessions.test.ts',
  'gateway/identity/sessions-elsewhere.test.ts',
  'gateway/identity/leases.test.ts',
  'gateway/identity/logout-token.test.ts',
];
/** Tests of the authority's room, with what was tried where others went wrong. */
function pki(...names: readonly string[]): string[] {
  const own = names.map((name) => `gateway/pki/${name}.test.ts`);
  return [...own, 'security/authority.test.ts', 'fuzz/found.test.ts'];
}

export const named: readonly Named[] = [
  { file: 'policy/evaluate.ts', tests: POLICY },
  { file: 'policy/rule.ts', tests: [...POLICY, 'policy/criteria/who.test.ts'] },
  {
    file: 'gateway/access/ruling.ts',
    tests: ['gateway/access/access.test.ts', 'gateway/access/ruling.test.ts'],
  },
  { file: 'gateway/identity/sessions.ts', tests: SESSIONS },
  { file: 'gateway/identity/leases.ts', tests: SESSIONS },
  // The authority: what it holds, what it signs and in which form, whom it vouches for, what it takes back.
  { file: 'gateway/pki/authority.ts', tests: pki('authority', 'pki', 'hierarchy') },
  { file: 'gateway/pki/authority-directory.ts', tests: pki('offline-root', 'authority', 'hierarchy') },
  { file: 'gateway/pki/ca-certificate.ts', tests: pki('offline-root') },
  { file: 'gateway/pki/certificate-revocations.ts', tests: pki('revoking') },
  { file: 'gateway/pki/certificate-writer.ts', tests: pki('certificate-writer', 'authority', 'hierarchy') },
  { file: 'connectors/wire/der-writer.ts', tests: ['connectors/wire/der-writer.test.ts'] },
  { file: 'gateway/pki/issuing-policy.ts', tests: pki('issuing-policy') },
  { file: 'gateway/pki/root-share.ts', tests: pki('revoking') },
  { file: 'gateway/pki/signing-request.ts', tests: pki('pki') },
  { file: 'gateway/pki/vouching.ts', tests: pki('pki', 'authority') },
  {
    file: 'gateway/pki/enrolment.ts',
    tests: [
      ...pki('held-certificates', 'pki', 'authority'),
      'gateway/edge/connectors-listener.test.ts',
      'gateway/access/revoke.test.ts',
      'gateway/attest/key-proof.test.ts',
    ],
  },
];

/** Enough of the random comparisons to find what is there to find, and no time spent on making an example small. */
export const env: Readonly<Record<string, string>> = { SALLYPORT_POLICY_RUNS: '300', SALLYPORT_SHRINK: '0' };

/** What a test of authorities waits for most: keys in files that open slowly on purpose. */
export const lighter: readonly Change[] = [
  { file: 'gateway/pki/signer/file-key.ts', find: 'N: 2 ** 15', replace: 'N: 2 ** 4' },
];
