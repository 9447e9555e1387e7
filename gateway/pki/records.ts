// What the store keeps of certificates: which were revoked, what signs those of SSH, and which of these people have.

/** A certificate of ours that is no longer good, keyed by its serial number (hex, upper case). */
export interface RevokedCertificate {
  /** Key id of the intermediate that issued it, hex. */
  readonly issuer: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What one gateway signs SSH certificates with, keyed by the gateway's name. */
export interface SshKeys {
  /** Public keys, base64. */
  readonly keys: readonly string[];
}

/** An SSH certificate that a person has, keyed by its serial number (decimal). */
export interface SshCertificateRecord {
  /** Public key of the authority, base64. */
  readonly authority: string;
  readonly keyId: string;
  /** It is good no longer than this session, this person's access and this device. */
  readonly session: string;
  readonly person: string;
  readonly device?: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  readonly revoked: boolean;
}
