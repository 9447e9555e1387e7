// The files whose every slip must be caught, and the tests that must catch it: what decides, sessions, the authority
// and enrolment.

export interface Named {
  readonly file: string;
  /** Tried in turn until one fails. */
  readonly stages: readonly (readonly string[])[];
}

const PKI = [
  ['gateway/pki/pki.test.ts', 'security/authority.test.ts', 'fuzz/found.test.ts'],
  ['gateway/pki/issuing.test.ts'],
  ['gateway/pki/hierarchy.test.ts'],
];

export const named: readonly Named[] = [
  {
    file: 'policy/evaluate.ts',
    stages: [['policy/decide.test.ts'], ['policy/agreement.test.ts'], ['policy/laws.test.ts']],
  },
  {
    file: 'policy/rule.ts',
    stages: [
      ['policy/decide.test.ts', 'policy/criteria/who.test.ts'],
      ['policy/agreement.test.ts'],
      ['policy/laws.test.ts'],
    ],
  },
  {
    file: 'gateway/access/ruling.ts',
    stages: [['gateway/access/access.test.ts', 'gateway/access/ruling.test.ts']],
  },
  {
    file: 'gateway/identity/sessions.ts',
    stages: [
      [
        'gateway/identity/identity.test.ts',
        'gateway/identity/sessions.test.ts',
        'gateway/identity/sessions-elsewhere.test.ts',
        'gateway/identity/leases.test.ts',
        'gateway/identity/logout-token.test.ts',
      ],
    ],
  },
  { file: 'gateway/pki/authority.ts', stages: PKI },
  { file: 'gateway/pki/certificate-writer.ts', stages: PKI },
  { file: 'gateway/pki/signing-request.ts', stages: PKI },
  { file: 'gateway/pki/vouching.ts', stages: PKI },
  { file: 'gateway/pki/issuing-policy.ts', stages: PKI.slice(1) },
  { file: 'gateway/pki/enrolment.ts', stages: PKI },
];

/** Enough of the random comparisons to find what is there to find, and no time spent on making an example small. */
export const env: Readonly<Record<string, string>> = { SALLYPORT_POLICY_RUNS: '300', SALLYPORT_SHRINK: '0' };
