// What a TPM says of a certificate's key, honestly or not.
import { sign } from 'node:crypto';
import { certificateRequest } from '#connectors/wire/certificate-request';
import { pem } from '#connectors/wire/der-writer';
import { type EnrolChallenge, type KeyProof, keyProofBinding } from '#connectors/wire/evidence';
import type { KeyProofs } from '#gateway/attest/key-proof';
import type { EndorsementCa } from './endorsement-ca.ts';
import { type AttestFields, attestBytes, type SoftwareTpm } from './software-tpm.ts';

export async function requestOf({ publicKey, privateKey }: SoftwareTpm['session']): Promise<string> {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return pem(
    'CERTIFICATE REQUEST',
    await certificateRequest(spki, (data) => sign('sha256', data, privateKey)),
  );
}

export function offerOf(tpm: SoftwareTpm, ca: EndorsementCa): Parameters<KeyProofs['begin']>[0] {
  return { ekCertificate: ca.endorse(tpm.ek.publicKey), ekPublic: tpm.ekPublic, akPublic: tpm.akPublic };
}

/** What of an honest proof is to be otherwise. */
export interface Changed {
  /** The request that is certified, where it is not the one sent. */
  readonly csr?: string;
  /** TPMT_PUBLIC that is said, and certified. */
  readonly area?: Buffer;
  readonly fields?: (fields: AttestFields) => AttestFields;
  /** Who signs, where it is not the attestation key of the credential. */
  readonly signer?: SoftwareTpm;
  readonly after?: (proof: KeyProof) => KeyProof;
}

export function answer(
  tpm: SoftwareTpm,
  challenge: EnrolChallenge,
  csr: string,
  changed: Changed = {},
): KeyProof {
  const secret = tpm.activate(challenge.credentialBlob, challenge.encryptedSecret);
  const area = changed.area ?? tpm.sessionPublic;
  const signer = changed.signer ?? tpm;
  const fields = signer.certifyFields(keyProofBinding(secret, changed.csr ?? csr), area);
  const certifyInfo = attestBytes((changed.fields ?? ((same) => same))(fields));
  const proof = {
    ...{ enrolment: challenge.enrolment, secret, public: area },
    ...{ certifyInfo, certifySignature: signer.sign(certifyInfo) },
  };
  return (changed.after ?? ((same) => same))(proof);
}
