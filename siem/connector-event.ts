// What may be recorded of connectors: enrolment, certificates, tunnels that come and go, and who was refused one.
import type { Actor, CertificateRef, ConnectorRef, Optional, Peer } from './parties.ts';

export interface EnrolmentTokenCreated {
  readonly kind: 'enrolment-token-created';
  readonly connector: ConnectorRef;
  readonly by: Actor;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface ConnectorEnrolled {
  readonly kind: 'connector-enrolled';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly client: Peer;
}

export interface ConnectorEnrolmentRefused {
  readonly kind: 'connector-enrolment-refused';
  /** Stable code: `token-unknown`, `token-expired`, `request-invalid`, … */
  readonly code: string;
  /** As claimed; unproved. */
  readonly connector?: Optional<ConnectorRef>;
  readonly client: Peer;
}

export interface ConnectorRenewed {
  readonly kind: 'connector-renewed';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly replaces?: Optional<CertificateRef>;
  readonly client: Peer;
}

export interface ConnectorConnected {
  readonly kind: 'connector-connected';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly client: Peer;
  /** Tells several links of one connector apart. */
  readonly link?: Optional<string>;
  /** Apps it says it can reach; offered, not granted. */
  readonly apps?: Optional<readonly string[]>;
}

export interface ConnectorDisconnected {
  readonly kind: 'connector-disconnected';
  readonly connector: ConnectorRef;
  readonly client: Peer;
  readonly link?: Optional<string>;
  /** Stable code: `going-away`, `silent`, `limits`, `protocol`, `revoked`, `certificate-expired`, … */
  readonly code: string;
  /** In words, which may be those of the connector. */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  readonly durationMs: number;
  readonly streamsLost: number;
}

/** A connector was turned away: no or revoked certificate, unknown name, protocol violation. */
export interface ConnectorRefused {
  readonly kind: 'connector-refused';
  readonly code: string;
  readonly connector?: Optional<ConnectorRef>;
  readonly certificate?: Optional<CertificateRef>;
  readonly client: Peer;
}

export type ConnectorEvent =
  | EnrolmentTokenCreated
  | ConnectorEnrolled
  | ConnectorEnrolmentRefused
  | ConnectorRenewed
  | ConnectorConnected
  | ConnectorDisconnected
  | ConnectorRefused;
