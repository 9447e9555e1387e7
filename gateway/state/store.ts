// What the gateway remembers between requests, and the small interface every store offers for it.
// A secret a client holds is only ever kept as its SHA-256, so a copied store opens no door.
import type {
  AttestationChallenge,
  Baseline,
  DeviceGrant,
  DeviceName,
  DevicePosture,
  DeviceRecord,
  DeviceRevocation,
} from '#gateway/attest/records';
import type { Login, Subject } from '#policy/input';

/** One person's sign-in. Its key, the session id, is a handle: safe in events, useless to a thief. */
export interface Session {
  readonly subject: Subject;
  readonly login: Login;
  /** Epoch milliseconds. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
  readonly clientAddress: string;
}

/** A browser cookie on one host, keyed by the cookie's hash: the door through which a session is used. */
export interface Door {
  readonly session: string;
  readonly host: string;
}

/** A sign-in under way at a provider, keyed by the hash of `state`; taken once. */
export interface PendingLogin {
  readonly provider: string;
  readonly verifier: string;
  readonly nonce: string;
  /** Hash of the cookie of the browser that began it: another browser cannot finish it. */
  readonly browser: string;
  readonly destination?: Destination;
  /** Set for a step-up: the age beyond which a sign-in is too old, in seconds. */
  readonly maxAge?: number;
}

/** Where a person wanted to go: an app's host, a canonical path there, and the hash its start cookie has. */
export interface Destination {
  readonly host: string;
  readonly path: string;
  readonly start: string;
}

/** Carries a session from the portal to an app's host, keyed by the code's hash; taken once. */
export interface Handoff {
  readonly session: string;
  readonly destination: Destination;
}

/** A person's approval of one command line, keyed by the code's hash; taken once (RFC 8252 with PKCE). */
export interface CliCode {
  readonly session: string;
  /** Base64url SHA-256 of the verifier that the command line keeps to itself. */
  readonly challenge: string;
}

/** An admin's permission for one connector to enrol, keyed by the secret's hash; taken once. */
export interface Enrolment {
  readonly name: string;
  readonly createdBy: string;
}

/** A connector that enrolled, keyed by its name. */
export interface EnrolledConnector {
  readonly enrolledAt: number;
  /** Certificates still in life, newest last: serial numbers (hex) and ends (epoch milliseconds). */
  readonly certificates: readonly { readonly serial: string; readonly notAfter: number }[];
  readonly revoked: boolean;
}

export interface Collections {
  session: Session;
  door: Door;
  login: PendingLogin;
  handoff: Handoff;
  cliCode: CliCode;
  enrolment: Enrolment;
  connector: EnrolledConnector;
  deviceGrant: DeviceGrant;
  attestationChallenge: AttestationChallenge;
  device: DeviceRecord;
  deviceName: DeviceName;
  deviceRevocation: DeviceRevocation;
  devicePosture: DevicePosture;
  baseline: Baseline;
}

export type Kind = keyof Collections;

/** Every method either does the whole thing durably or throws: a caller treats a throw as a deny. */
export interface Store {
  get<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined>;
  /** `expiresAt`: epoch milliseconds after which the record is as good as absent. */
  put<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<void>;
  /** Like `put`, but only where there is no record: of any number of callers exactly one gets true. */
  create<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean>;
  /** Like `put`, but only over a record that is still there: a record that was removed stays removed. */
  replace<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean>;
  /** Reads and removes in one step: of any number of callers exactly one gets the record. */
  take<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined>;
  /** True if there was a record to remove. */
  remove(kind: Kind, key: string): Promise<boolean>;
  list<K extends Kind>(kind: K): Promise<readonly (readonly [key: string, value: Collections[K]])[]>;
  close(): Promise<void>;
}
