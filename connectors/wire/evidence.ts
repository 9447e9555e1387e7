// The evidence format: what an attester sends a verifier and what it is answered (RFC 9334), as JSON whose binary
// members are base64url without padding. evidence-decoder.ts reads it back.
import { createHash } from 'node:crypto';

/** On the portal's host, and for connectors on the listener that they dial. Each is a POST with a JSON body. */
export const DEVICE_PATHS: Readonly<Record<'enrol' | 'activate' | 'challenge' | 'attest', string>> = {
  enrol: '/device/enrol',
  activate: '/device/activate',
  challenge: '/device/challenge',
  attest: '/device/attest',
};

/** On the listener for connectors: begins the proof that a certificate's key is in a TPM. A POST with a JSON body. */
export const KEY_PROOF_PATH = '/v1/key-proof';
/** Channel binding of RFC 9266: what both ends of the TLS connection that carries the evidence compute. */
export const EXPORTER: { readonly label: string; readonly length: number } = {
  label: 'EXPORTER-Channel-Binding',
  length: 32,
};
/** PCRs that are quoted and sent, of the SHA-256 bank: firmware, its settings, boot loader, secure boot. */
export const QUOTED_PCRS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7];
/** Bytes of a nonce, made by the verifier. */
export const NONCE_SIZE = 32;
const KEY_HASH_SIZE = 32;

/** Most bytes of each binary member. A TPM's own structures are bounded by its 4 KiB command buffer. */
export const EVIDENCE_LIMITS: Readonly<
  Record<'certificate' | 'intermediates' | 'structure' | 'digest' | 'pcrs' | 'eventLog' | 'token', number>
> = {
  certificate: 8 * 1024,
  intermediates: 6,
  structure: 4 * 1024,
  digest: 64,
  pcrs: 24,
  eventLog: 256 * 1024,
  token: 128,
};
/** Most bytes of an attestation as JSON; everything else fits 64 KiB. */
export const MAX_ATTESTATION: number = 448 * 1024;

/** Asks to become a known device. Structures are as the TPM gave them, without TPM2B length. */
export interface EnrolRequest {
  /** An admin's single-use permission: it names the device. Absent where this very TPM was announced instead. */
  readonly token?: string;
  /** DER, without the padding of the NV index. Absent where the TPM has none. */
  readonly ekCertificate?: Buffer;
  /** DER of the CAs between it and a root, where the maker put them into the TPM; the nearest first. */
  readonly ekIntermediates?: readonly Buffer[];
  /** TPMT_PUBLIC. */
  readonly ekPublic: Buffer;
  /** TPMT_PUBLIC. */
  readonly akPublic: Buffer;
}

/** What TPM2_ActivateCredential is given: only the TPM with that EK and that AK finds the secret. */
export interface EnrolChallenge {
  /** Names this enrolment until it is activated. */
  readonly enrolment: string;
  /** TPMS_ID_OBJECT: the content of TPM2B_ID_OBJECT, from the integrity HMAC's own length on. */
  readonly credentialBlob: Buffer;
  /** The content of TPM2B_ENCRYPTED_SECRET. */
  readonly encryptedSecret: Buffer;
}

export interface ActivateRequest {
  readonly enrolment: string;
  readonly secret: Buffer;
}

/** A device is known by this from then on. */
export interface EnrolReply {
  readonly device: string;
  readonly name: string;
  /** `pending`: an admin has to approve it first. */
  readonly state: string;
}

export interface ChallengeRequest {
  readonly device: string;
}

export interface ChallengeReply {
  readonly nonce: Buffer;
}

/**
 * That the key of a certificate request is in the TPM of a credential that was opened: the AK's TPM2_Certify of it, with
 * `keyProofBinding` as extraData. Structures are as the TPM gave them.
 */
export interface KeyProof {
  /** The credential's, as `EnrolChallenge` has it. */
  readonly enrolment: string;
  /** What was in it. */
  readonly secret: Buffer;
  /** TPMT_PUBLIC of the request's key. */
  readonly public: Buffer;
  readonly certifyInfo: Buffer;
  readonly certifySignature: Buffer;
}

/** A quote with everything that is needed to appraise it. */
export interface Attestation {
  readonly device: string;
  readonly nonce: Buffer;
  /** What the attester computed for its end of the connection: never believed, it only explains a refusal. */
  readonly exporter?: Buffer;
  /** What a connector's attester took for the key of its certificate: as little believed. */
  readonly connectorKey?: Buffer;
  /** TPMS_ATTEST of TPM2_Quote, and its TPMT_SIGNATURE. extraData: `attestationBinding`. */
  readonly quoted: Buffer;
  readonly signature: Buffer;
  /** SHA-256 bank, PCR 0 first. */
  readonly pcrs: readonly Buffer[];
  /** TCG PC Client crypto-agile log, as the firmware left it; empty where there is none. */
  readonly eventLog: Buffer;
  /** The key that signs DPoP proofs: TPMT_PUBLIC, and the AK's TPM2_Certify of it with the same extraData. */
  readonly key: { readonly public: Buffer; readonly certifyInfo: Buffer; readonly certifySignature: Buffer };
}

/** One claim of an attestation's result that a person can act on. */
export interface AppraisalReason {
  /** Stable. */
  readonly code: string;
  /** What was found, and what mends it, in plain sentences. */
  readonly message: string;
  readonly remedy: string;
}

/** The Attestation Result, shaped like EAR (draft-ietf-rats-ear). */
export interface AttestationReply {
  readonly status: 'affirming' | 'warning' | 'contraindicated' | 'none';
  /** Epoch milliseconds after which it says nothing more. */
  readonly expiresAt: number;
  readonly reasons: readonly AppraisalReason[];
  /** Whether the sign-in that came with the evidence is bound to the device now; absent where none came. */
  readonly bound?: boolean;
}

/** The evidence is not of this format. `message` names the member. */
export class EvidenceError extends Error {
  readonly code = 'evidence-malformed';
}

/** Who a connector is, as its certificate shows it. */
export interface ConnectorIdentity {
  readonly name: string;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo (DER). */
  readonly key: Buffer;
}

/**
 * extraData of a quote and of the certification of its key: evidence cannot be relayed to another nonce, log, key or
 * connection. Nonce, hashes and exporter have fixed lengths, so that no two inputs are one. What a connector's machine
 * says holds for that name and that certificate's key only, and never for a person's device, nor the other way around.
 * `keySpki`: DER SubjectPublicKeyInfo of the bound key. `exporter`: see `EXPORTER`.
 */
export function attestationBinding(bound: {
  readonly nonce: Buffer;
  readonly eventLog: Buffer;
  readonly keySpki: Buffer;
  readonly exporter: Buffer;
  readonly connector?: ConnectorIdentity | undefined;
}): Buffer {
  if (bound.nonce.length !== NONCE_SIZE) throw new EvidenceError(`a nonce has ${NONCE_SIZE} bytes`);
  if (bound.exporter.length !== EXPORTER.length) {
    throw new EvidenceError(`a TLS exporter has ${EXPORTER.length} bytes`);
  }
  const { connector } = bound;
  if (connector !== undefined && connector.key.length !== KEY_HASH_SIZE) {
    throw new EvidenceError(`the hash of a connector's key has ${KEY_HASH_SIZE} bytes`);
  }
  const binding = createHash('sha256')
    .update(connector === undefined ? 'sallyport-attest-v1\0' : 'sallyport-attest-connector-v1\0')
    .update(bound.nonce)
    .update(createHash('sha256').update(bound.eventLog).digest())
    .update(createHash('sha256').update(bound.keySpki).digest())
    .update(bound.exporter);
  if (connector !== undefined) {
    binding.update(createHash('sha256').update(connector.name).digest()).update(connector.key);
  }
  return binding.digest();
}

/** extraData of a key's certification: it answers this credential, for this very request (PKCS#10, PEM as sent). */
export function keyProofBinding(secret: Buffer, csr: string): Buffer {
  if (secret.length !== NONCE_SIZE) throw new EvidenceError(`a credential's secret has ${NONCE_SIZE} bytes`);
  return createHash('sha256')
    .update('sallyport-key-v1\0')
    .update(secret)
    .update(createHash('sha256').update(csr).digest())
    .digest();
}

/** What goes over the wire for any of the messages above. */
export function encodeEvidence(message: object): string {
  return JSON.stringify(message, function (this: Record<string, unknown>, name, value: unknown) {
    // JSON.stringify has called Buffer's toJSON already: the holder still has the bytes.
    const own = this[name];
    return Buffer.isBuffer(own) ? own.toString('base64url') : value;
  });
}
