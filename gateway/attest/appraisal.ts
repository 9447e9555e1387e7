// The Attestation Result: what the verifier says of a device, shaped like EAR (draft-ietf-rats-ear), with an expiry.
import type { ConnectorIdentity } from '#connectors/wire/evidence';
import type { Device } from '#policy/input';
import type { Reason } from './reasons.ts';

export type AppraisalStatus = 'affirming' | 'warning' | 'contraindicated' | 'none';

/**
 * Trustworthiness claims of AR4SI (draft-ietf-rats-ar4si), -128 to 127: 0 is no statement, 2 to 31 affirming,
 * 32 to 95 a warning, from 96 on contraindicated.
 */
export interface TrustVector {
  readonly 'instance-identity': number;
  readonly hardware: number;
  readonly executables: number;
  readonly configuration: number;
}

export interface Appraisal {
  readonly device: string;
  readonly status: AppraisalStatus;
  readonly trust: TrustVector;
  /** Worst first; empty for an affirming result. */
  readonly reasons: readonly Reason[];
  /**
   * False if the evidence is not proven to come from this device: it then says nothing about the device, is not
   * kept, and must not end what the device's owner has open, or anybody could end it by sending rubbish.
   */
  readonly authentic: boolean;
  /**
   * Facts for policy. For evidence that is not authentic, only the id. `sameBoot` is true of the boot quoted: whoever
   * holds a session that began in another (see `boot`) says otherwise.
   */
  readonly facts: Device;
  /** RFC 7638 thumbprint of the bound key, for DPoP's `cnf.jkt`; absent if none was accepted. */
  readonly keyThumbprint?: string;
  /** Names the boot that was quoted: the TPM's reset and restart counters. */
  readonly boot?: string;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What the gateway itself knows of the connection and session that evidence came through. */
export interface EvidenceBinding {
  /** TLS exporter of the connection (RFC 9266), never taken from the evidence. */
  readonly exporter: Buffer;
  /** The key the session is bound to already, if any: evidence for another is refused. */
  readonly keyThumbprint?: string;
  /** The connector whose certificate the connection showed, if any: it attests for itself only. */
  readonly connector?:
    | (ConnectorIdentity & {
        /** Of the certificate, epoch milliseconds. */
        readonly notAfter: number;
      })
    | undefined;
}
