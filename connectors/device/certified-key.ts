// A key for a certificate, in this machine's TPM: made or taken from its file, used for the request, and certified by an
// attestation key of the same TPM, which a gateway believes for the maker's word on the endorsement key above it.
import { certificateRequest } from '../wire/certificate-request.ts';
import { ecdsaSignature, pem } from '../wire/der-writer.ts';
import { type KeyProof, keyProofBinding } from '../wire/evidence.ts';
import { decodeEnrolChallenge } from '../wire/evidence-decoder.ts';
import type { Introduction } from './attester.ts';
import { keyFile, readKeyFile } from './tpm/key-file.ts';
import {
  authorized,
  createBelow,
  endorsementOf,
  withEndorsementKey,
  withKey,
  withStorageKey,
  withTpm,
} from './tpm/keys.ts';
import { ecdsa, spkiOf } from './tpm/signing-key.ts';
import { AK_TEMPLATE, type EkKind, SESSION_KEY_TEMPLATE } from './tpm/templates.ts';
import type { Tpm, TpmKey } from './tpm/tpm.ts';

/** A request for a certificate, and what goes with it. */
export interface CertifiableKey {
  /** The file it is kept in, PEM. */
  readonly key: string;
  readonly spki: Buffer;
  /** PKCS#10, PEM. */
  readonly csr: string;
  /** Says to the gateway which TPM it is, opens what it answers, and certifies the key for this request. */
  prove(offer: (keys: object) => Promise<unknown>): Promise<KeyProof>;
}

interface Certifier {
  readonly kind: EkKind;
  readonly attestation: TpmKey;
  readonly introduction: Introduction;
}

/** `before`: the key's file, for the certificate after the first. @throws {TpmError} `key-lost` */
export function certifiableKey(address: string, before?: string): Promise<CertifiableKey> {
  return withTpm(address, async (tpm) => {
    const known = before === undefined ? undefined : readKeyFile(before);
    const { stored, file } = await withStorageKey(tpm, async (parent) => {
      const made = known ?? (await createBelow(tpm, parent, SESSION_KEY_TEMPLATE));
      return { stored: made, file: before ?? keyFile(made, parent.handle) };
    });
    const spki = spkiOf(stored.public);
    const request = await withLoaded(tpm, stored, (handle) =>
      certificateRequest(spki, async (data) => ecdsaSignature(await ecdsa(tpm, handle, data))),
    );
    const csr = pem('CERTIFICATE REQUEST', request);
    const certifier = await certifierOf(tpm);
    const prove: CertifiableKey['prove'] = async (offer) => {
      const challenge = decodeEnrolChallenge(await offer(certifier.introduction));
      const { enrolment, credentialBlob: blob, encryptedSecret } = challenge;
      const credential = { blob, secret: encryptedSecret };
      return { enrolment, ...(await certified(address, stored, certifier, credential, csr)) };
    };
    return { key: file, spki, csr, prove };
  });
}

/** A new attestation key: it speaks for this one certificate and is forgotten. */
async function certifierOf(tpm: Tpm): Promise<Certifier> {
  const { kind, certificate, intermediates = [] } = await endorsementOf(tpm);
  return withEndorsementKey(tpm, kind, async (ek) => {
    const attestation = await createBelow(tpm, ek, AK_TEMPLATE);
    const introduction = {
      ...(certificate === undefined ? {} : { ekCertificate: certificate }),
      ...(intermediates.length === 0 ? {} : { ekIntermediates: intermediates }),
      ekPublic: ek.public,
      akPublic: attestation.public,
    };
    return { kind, attestation, introduction };
  });
}

function certified(
  address: string,
  key: TpmKey,
  { kind, attestation }: Certifier,
  credential: { readonly blob: Buffer; readonly secret: Buffer },
  csr: string,
): Promise<Omit<KeyProof, 'enrolment'>> {
  return withTpm(address, (tpm) =>
    withLoaded(tpm, key, (handle) =>
      withEndorsementKey(tpm, kind, (ek) =>
        withKey(tpm, ek, attestation, async (ak) => {
          const secret = await authorized(tpm, ek, (by) =>
            tpm.activateCredential(ak, ek.handle, by, credential),
          );
          const { attest, signature } = await tpm.certify(handle, ak, keyProofBinding(secret, csr));
          return { secret, public: key.public, certifyInfo: attest, certifySignature: signature };
        }),
      ),
    ),
  );
}

/** Lends `work` the key without its parent: a TPM holds three objects at once, and two more are to come. */
async function withLoaded<T>(tpm: Tpm, key: TpmKey, work: (handle: number) => Promise<T>): Promise<T> {
  const handle = await withStorageKey(tpm, (parent) =>
    authorized(tpm, parent, (by) => tpm.load(parent.handle, by, key)),
  );
  try {
    return await work(handle);
  } finally {
    await tpm.flush(handle);
  }
}
