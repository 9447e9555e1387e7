// What the verifier remembers of devices, in the gateway's store: bindings, revocations, challenges, results.
// A record holds no secret: tokens and credentials are kept as SHA-256, keys are public.
import type { Appraisal } from './appraisal.ts';

/** An admin's permission for one device to enrol, keyed by the token's hash or by `ek:<EK Name>`; taken once. */
export interface DeviceGrant {
  readonly name: string;
  /** Whose device it is: a subject's id. */
  readonly owner?: string;
  /** The connector that runs on it: the machine is no person's then. */
  readonly connector?: string;
  /** The label its baselines go by; otherwise what its TPM says it is. */
  readonly model?: string;
  /** True if no admin needs to approve the device after it enrolled. */
  readonly approved: boolean;
  readonly createdBy: string;
}

/** An enrolment, a proof of a key or a quote under way, keyed by the hash of its id or nonce; taken once. */
export type AttestationChallenge =
  | {
      readonly purpose: 'activate';
      readonly grant: DeviceGrant;
      readonly binding: DeviceBinding;
      /** Base64url SHA-256 of the credential that only the right TPM finds. */
      readonly secret: string;
      readonly expiresAt: number;
    }
  | {
      readonly purpose: 'key';
      readonly binding: DeviceBinding;
      readonly secret: string;
      readonly expiresAt: number;
    }
  | {
      readonly purpose: 'quote';
      readonly device: string;
      /** Of the last quote that was accepted by then. */
      readonly counters?: TpmCounters;
      readonly expiresAt: number;
    };

/** TPMS_CLOCK_INFO: milliseconds the TPM was powered, as a decimal string (64 bits), and its counters. */
export interface TpmCounters {
  readonly clock: string;
  readonly resetCount: number;
  readonly restartCount: number;
}

/** One certificate of a chain: its serial number (hex), and its issuer's fingerprint. */
export interface EndorsementLink {
  readonly issuer: string;
  readonly serial: string;
  /** The issuer came with the TPM and is configured nowhere. */
  readonly supplied?: true;
  /** Of an issuer that came with the TPM, epoch milliseconds; earlier versions did not say. */
  readonly notAfter?: number;
}

/** What an EK certificate vouches for. Fingerprints are SHA-256 of DER in hex. */
export interface Endorsement {
  readonly certificate: string;
  /** From the EK's certificate up to the one that the root issued. */
  readonly chain: readonly EndorsementLink[];
  readonly root: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly version: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
}

/** The TPM of a device: bound at enrolment, never changed. Names are hex, publics base64url TPMT_PUBLIC. */
export interface DeviceBinding {
  readonly ekName: string;
  readonly akName: string;
  readonly akPublic: string;
  /** Absent for a TPM without certificate whose EK an admin pinned. */
  readonly endorsement?: Endorsement;
}

/** An enrolled device, keyed by its id. Written at enrolment and by `approve`, never by an appraisal. */
export interface DeviceRecord {
  readonly name: string;
  readonly owner?: string;
  /** The connector it attests for, instead of a person. */
  readonly connector?: string;
  readonly model: string;
  readonly binding: DeviceBinding;
  readonly enrolledAt: number;
  readonly enrolledBy: string;
  readonly approvedAt?: number;
  readonly approvedBy?: string;
}

/** Holds a device's name: no two devices share one. Keyed by the name. */
export interface DeviceName {
  readonly device: string;
}

/** Apart from the device's record, so that no write that races with a revocation undoes it. Keyed by id. */
export interface DeviceRevocation {
  readonly at: number;
  readonly by: string;
}

/** The machine that attested over a connector's certificate, keyed by the SHA-256 of that key's SPKI in hex. */
export interface ConnectorBond {
  readonly device: string;
  /** Name of the attestation key it was enrolled with by then, hex; earlier versions did not say. */
  readonly akName?: string;
}

/** The last quote that was accepted, and what came of it. Keyed by the device's id. */
export interface DevicePosture extends TpmCounters {
  readonly appraisal: Appraisal;
  /** The alert that it is contraindicated was recorded, of this one or the same before it. */
  readonly told?: true;
  readonly firmware: string;
  /** SHA-256 bank, PCR 0 to 7, hex. */
  readonly pcrs: readonly string[];
  /** Kernel command lines of the firmware's boot entries. */
  readonly commandLines: readonly string[];
}

/** Reference values for one model of device, keyed by their id. They count once an admin approved them. */
export interface Baseline {
  readonly model: string;
  /** For each of PCR 0 to 7 the values allowed, hex; an empty list allows any. */
  readonly pcrs: readonly (readonly string[])[];
  /** Oldest TPM firmware, numbers and dots. */
  readonly minimumFirmware?: string;
  readonly commandLine?: CommandLineRule;
  /** The device they were learnt from. */
  readonly learntFrom?: string;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly approvedAt?: number;
  readonly approvedBy?: string;
}

/** What a kernel command line must and must not hold; whole words, separated by blanks. */
export interface CommandLineRule {
  readonly required: readonly string[];
  readonly forbidden: readonly string[];
}
