// What may be recorded of devices and their attestation: enrolment, posture, the sessions bound to them, baselines.
// Reasons are the verifier's stable codes, never its evidence.
import type { Subject } from '#policy/input';
import type { Actor, ConnectorRef, Optional, Peer } from './parties.ts';

export interface DeviceRef {
  readonly id: string;
  readonly name?: Optional<string>;
}

/** An admin permitted one device to enrol. */
export interface DeviceTokenCreated {
  readonly kind: 'device-token-created';
  /** The name the device will have. */
  readonly name: string;
  /** Subject whose device it will be. */
  readonly owner?: Optional<string>;
  /** The connector whose machine it will be. */
  readonly connector?: Optional<ConnectorRef>;
  readonly by: Actor;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** A TPM proved that it holds the keys it showed. Recorded durably before the answer. */
export interface DeviceEnrolled {
  readonly kind: 'device-enrolled';
  readonly device: DeviceRef;
  readonly state: string;
  readonly model?: Optional<string>;
  readonly manufacturer?: Optional<string>;
  /** TPM Name of the endorsement key, hex. */
  readonly ekName?: Optional<string>;
  readonly connector?: Optional<ConnectorRef>;
  readonly client: Peer;
}

export interface DeviceEnrolmentRefused {
  readonly kind: 'device-enrolment-refused';
  readonly code: string;
  readonly device?: Optional<DeviceRef>;
  readonly client: Peer;
}

export interface DeviceApproved {
  readonly kind: 'device-approved';
  readonly device: DeviceRef;
  readonly by: Actor;
}

export interface DeviceRevoked {
  readonly kind: 'device-revoked';
  readonly device: DeviceRef;
  readonly by: Actor;
}

/** Its TPM and its name are free for a new enrolment. */
export interface DeviceForgotten {
  readonly kind: 'device-forgotten';
  readonly device: DeviceRef;
  readonly by: Actor;
}

/** A device proved its state; the result may still be a bad one. */
export interface DeviceAttested {
  readonly kind: 'device-attested';
  readonly device: DeviceRef;
  /** EAR: `affirming`, `warning`, `contraindicated`, `none`. */
  readonly status: string;
  /** Worst first. */
  readonly reasons: readonly string[];
  readonly boot?: Optional<string>;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  readonly subject?: Optional<Subject>;
  /** That attested with it. */
  readonly connector?: Optional<ConnectorRef>;
  readonly session?: Optional<string>;
  readonly client: Peer;
}

/** A device that was well proved that it no longer is, or is unwell in another way than before. */
export interface DevicePostureFailed {
  readonly kind: 'device-posture-failed';
  readonly device: DeviceRef;
  readonly status: string;
  readonly reasons: readonly string[];
  /** What the worst of them means. */
  readonly message: string;
  readonly subject?: Optional<Subject>;
  readonly connector?: Optional<ConnectorRef>;
  readonly client: Peer;
}

/** Evidence that does not come from the device it names, or not now: replayed, relayed, forged. */
export interface DeviceEvidenceRefused {
  readonly kind: 'device-evidence-refused';
  /** As claimed; unproved. */
  readonly device: DeviceRef;
  readonly code: string;
  readonly reasons: readonly string[];
  readonly subject?: Optional<Subject>;
  readonly connector?: Optional<ConnectorRef>;
  readonly client: Peer;
}

/** A session's door now needs this device. */
export interface DeviceSessionBound {
  readonly kind: 'device-session-bound';
  /** A browser, or a command line. */
  readonly channel: 'browser' | 'terminal';
  readonly device: DeviceRef;
  /** RFC 7638 thumbprint of the key in its TPM. */
  readonly key: string;
  readonly subject: Subject;
  readonly session: string;
  readonly client: Peer;
}

/** Somebody could not prove that a session is on the device they named. */
export interface DeviceSessionRefused {
  readonly kind: 'device-session-refused';
  readonly code: string;
  readonly channel: 'browser' | 'terminal';
  readonly device?: Optional<DeviceRef>;
  readonly subject?: Optional<Subject>;
  readonly session?: Optional<string>;
  readonly client: Peer;
}

interface BaselineChange {
  readonly baseline: string;
  readonly model: string;
  readonly by: Actor;
}

/** Reference values were taken from a device; they do not count yet. */
export interface BaselineLearnt extends BaselineChange {
  readonly kind: 'baseline-learnt';
  readonly device: DeviceRef;
}

export interface BaselineApproved extends BaselineChange {
  readonly kind: 'baseline-approved';
}

export interface BaselineRemoved extends BaselineChange {
  readonly kind: 'baseline-removed';
}

export type DeviceEvent =
  | DeviceTokenCreated
  | DeviceEnrolled
  | DeviceEnrolmentRefused
  | DeviceApproved
  | DeviceRevoked
  | DeviceForgotten
  | DeviceAttested
  | DevicePostureFailed
  | DeviceEvidenceRefused
  | DeviceSessionBound
  | DeviceSessionRefused
  | BaselineLearnt
  | BaselineApproved
  | BaselineRemoved;
