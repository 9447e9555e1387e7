// What the rest of the gateway may ask of the verifier (RFC 9334): enrolment, appraisal, and an admin's part.
// Every method either does the whole thing durably or throws; what is refused throws AttestationRefusal, but
// evidence that is refused is an appraisal with reasons. Nothing is recorded here: callers record the outcomes.
import type { ActivateRequest, Attestation, EnrolChallenge, EnrolRequest } from '#connectors/wire/evidence';
import type { Appraisal, EvidenceBinding } from './appraisal.ts';
import type { Baseline, CommandLineRule, DeviceGrant, DevicePosture, DeviceRecord } from './records.ts';

/** A device as admins see it. */
export interface ListedDevice extends DeviceRecord {
  readonly device: string;
  readonly state: 'pending' | 'approved' | 'revoked';
  readonly posture?: DevicePosture;
}

/** A connector as its certificate shows it. */
export interface ConnectorKey {
  readonly name: string;
  /** SHA-256 of the certificate's SubjectPublicKeyInfo, hex. */
  readonly key: string;
}

export interface NewDeviceToken {
  readonly token: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface ListedBaseline extends Baseline {
  readonly id: string;
}

/** Reference values an admin writes or changes by hand. */
export interface BaselineChange {
  /** PCRs that may hold anything, such as 1 for settings that differ from device to device. */
  readonly openPcrs?: readonly number[];
  readonly minimumFirmware?: string;
  readonly commandLine?: CommandLineRule;
}

export interface DeviceVerifier {
  /**
   * A single-use permission for one device, shown once. `life` in milliseconds. With `ekName` (hex) no token is
   * needed: the TPM with that endorsement key may enrol once, and without a certificate where pinning is on. It counts
   * once `first` has resolved. Throws `name-taken`.
   */
  grant(
    grant: DeviceGrant,
    life: number,
    ekName?: string,
    first?: (expiresAt: number) => Promise<void>,
  ): Promise<NewDeviceToken>;
  /**
   * Burns the token, checks keys and certificate, and makes a credential only the TPM can open. `connector`: whose
   * certificate the connection showed.
   */
  enrol(request: EnrolRequest, connector?: string): Promise<EnrolChallenge & { readonly name: string }>;
  /** Burns the challenge and writes the device down for good. */
  activate(answer: ActivateRequest): Promise<ListedDevice>;
  /** A nonce for one quote. Throws `device-unknown`, `device-revoked`. */
  challenge(device: string): Promise<{ readonly nonce: Buffer; readonly expiresAt: number }>;
  /** Burns the nonce, judges the evidence and keeps the result if it is authentic. Never throws a refusal. */
  appraise(evidence: Attestation, binding: EvidenceBinding): Promise<Appraisal>;
  /** The alert about this result was recorded: the same one needs none until it has run out. */
  told(appraisal: Appraisal): Promise<void>;
  /** The result that still counts: undefined when it has expired, or the device is unknown or revoked. */
  posture(device: string): Promise<Appraisal | undefined>;
  /** The same of the machine that attested over a connector's certificate; undefined until it has. */
  connectorPosture(connector: ConnectorKey): Promise<Appraisal | undefined>;

  /** Throws `device-unknown`, `device-revoked`. */
  approve(device: string, by: string): Promise<ListedDevice>;
  /** For good: the device can only come back by `forget` and a new enrolment. Throws `device-unknown`. */
  revoke(device: string, by: string): Promise<ListedDevice>;
  /** Frees the TPM and the name of a device for a new enrolment. Throws `device-unknown`. */
  forget(device: string): Promise<ListedDevice>;
  list(): Promise<readonly ListedDevice[]>;
  find(device: string): Promise<ListedDevice | undefined>;
  /** Makes a baseline of what the device quoted last, for its model; it counts once approved. `posture-missing`. */
  learnBaseline(device: string, by: string, change?: BaselineChange): Promise<ListedBaseline>;
  /** Undefined if there is no such baseline. */
  approveBaseline(id: string, by: string): Promise<ListedBaseline | undefined>;
  removeBaseline(id: string): Promise<ListedBaseline | undefined>;
  baselines(): Promise<readonly ListedBaseline[]>;
}
