// Where the key of a certificate of ours is: proved to be in a TPM for good, or else in a file as far as anybody knows. The
// certificate itself says so, so that the fact ends with it and needs no other record.
import { oid } from '#gateway/attest/der';
import type { KeyOrigin } from '#policy/input';

/** tcg-cap-verifiedTPMFixed, as certificatePolicies has it (TCG, TPM 2.0 Keys for Device Identity and Attestation). */
export const KEY_IN_TPM = '2.23.133.11.1.2';
const POLICY = oid(KEY_IN_TPM);

/** `policies`: of a certificate that our own authority issued; another authority's word on this is none of ours. */
export function keyOriginOf({ policies }: { readonly policies: readonly string[] }): KeyOrigin {
  return policies.includes(POLICY) ? 'tpm' : 'file';
}
