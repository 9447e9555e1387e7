// The closed vocabulary of why a change is refused: one stable code per way to be wrong, each with what it means.

const TEXTS = {
  malformed: 'is not a change, or not in the form this version reads',
  'too-large': 'is larger than a change may be',
  unsigned: 'carries no signature',
  tampered: 'is not what was signed',
  'foreign-signed': 'carries a signature that was made for another purpose',
  'unknown-signer': 'is signed by a key that is not listed as authorised',
  'key-expired': 'is signed by a key that is not valid now',
  'too-few-signatures': 'needs signatures of more people',
  'wrong-gateway': 'was made for another installation',
  'wrong-repository': 'comes from another repository',
  'wrong-branch': 'comes from another branch',
  'wrong-commit': 'comes from another commit than the one that is pinned',
  'not-of-commit': 'holds something else than the commit it names',
  'commit-unsigned': 'names a commit that no authorised key signed',
  replayed: 'was accepted already',
  'rolled-back': 'is older than what is in force',
  'wrong-predecessor': 'does not follow what is in force',
  incomplete: 'leaves out a file that a change must hold',
  'signers-invalid': 'holds a list of signers that cannot be used',
  'policy-invalid': 'holds a policy that does not load',
  'configuration-invalid': 'holds a configuration that does not load',
} as const;

export type ChangeReason = keyof typeof TEXTS;
export const CHANGE_REASONS = Object.keys(TEXTS) as readonly ChangeReason[];

/** A change is refused. `detail` says what was found, in words that may be shown and recorded. */
export class ChangeRefusal extends Error {
  readonly code: ChangeReason;
  readonly detail: string | undefined;

  constructor(code: ChangeReason, detail?: string) {
    super(`this change ${TEXTS[code]}${detail === undefined ? '' : `: ${detail}`}`);
    this.code = code;
    this.detail = detail;
  }
}
