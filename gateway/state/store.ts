// What the gateway remembers between requests, and the small interface every store offers for it.
// A secret a client holds is only ever kept as its SHA-256, so a copied store opens no door.
import type {
  AttestationChallenge,
  Baseline,
  ConnectorBond,
  DeviceGrant,
  DeviceName,
  DevicePosture,
  DeviceRecord,
  DeviceRevocation,
} from '#gateway/attest/records';
import type { RevokedCertificate, SshCertificateRecord, SshKeys, SshSchedule } from '#gateway/pki/records';
import type { KeyOrigin, Login, Subject } from '#policy/input';

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
  readonly bond?: DeviceBond;
}

/** Ties a door to an attested device: what is known of that device holds for requests through this door. */
export interface DeviceBond {
  readonly device: string;
  /** RFC 7638 thumbprint of the key in its TPM that proved the bond. */
  readonly key: string;
  /** Names the boot the device was in when the session met it. */
  readonly boot?: string;
  /** A browser's, which cannot prove the key at every request: only from this network. */
  readonly network?: string;
  /** Epoch milliseconds. */
  readonly until: number;
}

/** A browser's bond under way, keyed by the hash of the challenge its device must sign; taken once. */
export interface BrowserAsk {
  readonly session: string;
  /** Hash of the cookie of the browser that began it: another browser cannot finish it. */
  readonly door: string;
  readonly device: string;
  readonly destination?: Destination;
}

/** Where a device last attested from, and as whom: its agent answers browsers of that person. Keyed by device id. */
export interface DeviceAgent {
  readonly subject: string;
  readonly network: string;
  /** Its loopback port; absent for an agent that answers no browsers. */
  readonly port?: number;
}

/** A proof of possession that was used, keyed by the hash of its id (RFC 9449 section 11.1). */
export interface UsedProof {
  readonly at: number;
}

/** A signed request of an admin that was answered, keyed by the hash of who signed it and its nonce. */
export interface AdminRequest {
  /** Workers of one gateway that are asked the same know it by this. */
  readonly round: string;
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
  readonly bond?: DeviceBond;
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

export interface IssuedCertificate {
  /** Hex. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  /** Key id of the intermediate that issued it (hex), and where its own key is; earlier versions knew neither. */
  readonly issuer?: string;
  readonly key?: KeyOrigin;
}

/** A connector, or as `service/<name>` a service, that enrolled, keyed by its name. */
export interface EnrolledConnector {
  readonly enrolledAt: number;
  /** Certificates still in life, newest last. */
  readonly certificates: readonly IssuedCertificate[];
  readonly revoked: boolean;
}

/** A person's sessions, keyed by `<issuer>#<sub>`, oldest first: found without looking at everybody's. Epoch milliseconds. */
export interface PersonSessions {
  readonly sessions: readonly { readonly id: string; readonly expiresAt: number }[];
}

/** Our last session behind a provider's own, and those before it; keyed by the provider's id, a space and its `sid`. */
export interface ProviderSession {
  readonly session: string;
  readonly before?: PersonSessions['sessions'];
}

/** A token that ends sessions, keyed by its issuer and `jti`, so that it is heard once. */
export interface SpentToken {
  /** Epoch milliseconds. */
  readonly at: number;
}

/** What may no longer be used, keyed by its kind, a colon and its id. */
export interface Revocation {
  /** Epoch milliseconds. What began later is not meant. */
  readonly at: number;
  readonly by: string;
  readonly reason?: string;
}

/** A gateway that is there, keyed by its run; `at` is by its own clock, and earlier versions do not tell. */
export interface Presence {
  readonly name: string;
  /** Where other gateways dial it: an https origin. */
  readonly address: string;
  readonly at?: number;
}

/** A copy into this state that has not come to its end; the only one of its kind. */
export interface Copying {
  readonly what: 'migrate' | 'restore';
}

/** A root that every gateway of an installation has, keyed by its authority's name. */
export interface SharedKey {
  /** `certificate` in PEM, and `key`, sealed so that only issuing processes open it. */
  readonly files: Readonly<Record<string, string>>;
}

/** One key that signs assertions. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** PKCS#8 PEM. */
  readonly privateKey: string;
  /** Epoch milliseconds. It signs until the next one does. */
  readonly signsFrom: number;
}

/** The signing keys of an installation, oldest first. */
export interface SigningKeys {
  readonly keys: readonly SigningKey[];
}

export interface Collections {
  session: Session;
  door: Door;
  login: PendingLogin;
  handoff: Handoff;
  cliCode: CliCode;
  enrolment: Enrolment;
  connector: EnrolledConnector;
  revokedCertificate: RevokedCertificate;
  sshSchedule: SshSchedule;
  sshKeys: SshKeys;
  sshCertificate: SshCertificateRecord;
  deviceGrant: DeviceGrant;
  attestationChallenge: AttestationChallenge;
  device: DeviceRecord;
  deviceName: DeviceName;
  deviceRevocation: DeviceRevocation;
  devicePosture: DevicePosture;
  connectorBond: ConnectorBond;
  baseline: Baseline;
  person: PersonSessions;
  providerSession: ProviderSession;
  spentToken: SpentToken;
  revocation: Revocation;
  presence: Presence;
  copying: Copying;
  sharedKey: SharedKey;
  keyRing: SigningKeys;
  browserAsk: BrowserAsk;
  deviceAgent: DeviceAgent;
  usedProof: UsedProof;
  adminRequest: AdminRequest;
}

export type Kind = keyof Collections;

/** A record with the epoch milliseconds after which it is as good as absent; Infinity for one that stays. */
export type Held<K extends Kind> = readonly [key: string, value: Collections[K], expiresAt: number];

/** What a record becomes: a value and its end, or nothing changes. */
export type Change<K extends Kind> =
  | { readonly value: Collections[K]; readonly expiresAt?: number | undefined }
  | undefined;

/** Every method either does the whole thing durably or throws: a caller treats a throw as a deny. */
export interface Store {
  get<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined>;
  /** `expiresAt`: epoch milliseconds after which the record is as good as absent. */
  put<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<void>;
  /**
   * Puts what `change` makes of the record as it is, with nobody in between; `change` may be asked again when somebody
   * was. True if there was a change.
   */
  update<K extends Kind>(
    kind: K,
    key: string,
    change: (current: Collections[K] | undefined) => Change<K>,
  ): Promise<boolean>;
  /** Like `put`, but only where there is no record: of any number of callers exactly one gets true. */
  create<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean>;
  /** Like `put`, but only over a record that is still there: a record that was removed stays removed. */
  replace<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean>;
  /** Reads and removes in one step: of any number of callers exactly one gets the record. */
  take<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined>;
  /** True if there was a record to remove. */
  remove(kind: Kind, key: string): Promise<boolean>;
  /** The live records of one kind, by key. */
  list<K extends Kind>(kind: K): Promise<readonly Held<K>[]>;
  /**
   * Lets one more of `key` pass and answers 0, or the milliseconds after which one would. In no `period` milliseconds more
   * than `limit` pass, which is at least 1; nobody is refused unless as many have passed in the last period and a
   * sixtieth. What is refused is not counted. What has passed may be forgotten at a restart.
   */
  admit(key: string, limit: number, period: number): Promise<number>;
  /** Tells all who subscribed, on every gateway, this one included. At most once: what matters must be in a record. */
  publish(channel: string, message: string): Promise<void>;
  /**
   * Listens from when this resolves. `missed` is called when messages may have been lost, for example after the
   * connection was: whoever relies on them must look at the records again.
   */
  subscribe(channel: string, listener: (message: string) => void, missed: () => void): Promise<void>;
  /**
   * Monotonic milliseconds (performance.now) at which this store was last known to speak for the installation, rather
   * than for a part of it that was cut off. What was read may be relied on for a bounded time from here.
   */
  confirmedAt(): number;
  /** What whoever runs the store should look after, in words. */
  warnings(): readonly string[];
  close(): Promise<void>;
}

/** What follows from `update`, for every implementation alike. */
export abstract class Updating {
  abstract update<K extends Kind>(
    kind: K,
    key: string,
    change: (current: Collections[K] | undefined) => Change<K>,
  ): Promise<boolean>;

  create<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean> {
    return this.update(kind, key, (current) => (current === undefined ? { value, expiresAt } : undefined));
  }

  replace<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<boolean> {
    return this.update(kind, key, (current) => (current === undefined ? undefined : { value, expiresAt }));
  }
}
