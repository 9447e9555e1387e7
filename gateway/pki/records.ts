// What the store keeps of certificates: which were revoked, what signs those of SSH, and which of these people have.

/** A certificate of ours that is no longer good, keyed by its serial number (hex, upper case). */
export interface RevokedCertificate {
  /** Key id of the intermediate that issued it, hex. */
  readonly issuer: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What one gateway, or one worker of it, signs SSH certificates with, keyed by its name. */
export interface SshKeys {
  /** Public keys, base64. */
  readonly keys: readonly string[];
  /** The gateway of which it is a worker, or itself; earlier versions did not say. */
  readonly of?: string;
  /** As of the schedule by which these keys were made. */
  readonly lost?: number;
}

/** When the keys of one gateway sign, with all its workers: keyed by the gateway's name, from its first rotation on. */
export interface SshSchedule {
  /** Of the request that made it: workers that are asked the same know it by this. */
  readonly round: string;
  /** Epoch milliseconds, the earliest first: each worker has a key for each of these times. */
  readonly from: readonly number[];
  /** Set once somebody else may have had the keys: since then only keys of these times are trusted. Epoch milliseconds. */
  readonly lost?: number;
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
  /** Epoch milliseconds; earlier versions did not say when it was issued. */
  readonly issuedAt?: number;
  readonly notAfter: number;
  readonly revoked: boolean;
}
