// A key that signs for an authority, wherever it lives: in an encrypted file, in a PKCS#11 token, or in a TPM. Nothing
// here gives the key away; a key file says where the key is and is refused when others could read it.
import type { KeyObject } from 'node:crypto';

export type KeyPlace = 'file' | 'pkcs11' | 'tpm';
export const KEY_PLACES: readonly KeyPlace[] = ['file', 'pkcs11', 'tpm'];

/** ECDSA on P-256. */
export interface Signer {
  readonly place: KeyPlace;
  readonly publicKey: KeyObject;
  /** The DER signature of `data` with SHA-256. Rejects with SignerError. */
  sign(data: Uint8Array): Promise<Buffer>;
}

export type SignerFailure =
  /** The passphrase or the PIN does not open it. */
  | 'key-locked'
  /** It is no key file, or was changed. */
  | 'key-unreadable'
  /** The token or TPM cannot be reached, or is not configured. */
  | 'key-place-missing'
  /** The token or TPM is there, but does not know the key. */
  | 'key-lost'
  /** The token or TPM refused or broke. */
  | 'key-refused';

/** `message` says what to do, and holds no secret. */
export class SignerError extends Error {
  readonly code: SignerFailure;
  constructor(code: SignerFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SignerError';
    this.code = code;
  }
}

/** What is needed to reach keys. Secrets are read when they are needed, from files of mode 0600. */
export interface KeyAccess {
  /** Opens keys in files. */
  passphrase(): string;
  readonly pkcs11?: Pkcs11Access | undefined;
  /** As `openTpm` takes it: /dev/tpmrm0. */
  readonly tpm?: string | undefined;
}

export interface Pkcs11Access {
  /** The maker's library. */
  readonly module: string;
  /** The token's label. */
  readonly token: string;
  pin(): string;
}

/** A key as its file has it: everything but `kind` and `public` is the place's own. */
export interface KeyRecord {
  readonly kind: KeyPlace;
  /** SubjectPublicKeyInfo, base64. */
  readonly public: string;
  readonly [more: string]: unknown;
}
