// What may be recorded of authorities and of the certificates they give to services and people.
import type { Subject } from '#policy/input';
import type { Actor, CertificateRef, Optional, Peer } from './parties.ts';

/** Something about an authority changes. What an admin asks for is recorded durably before it is done. */
export interface AuthorityChanged {
  readonly kind: 'authority-changed';
  readonly authority: string;
  /** `issuing`: another intermediate, or other keys of SSH, from now on; all others: somebody asked for that. */
  readonly change: 'issuing' | 'rotate' | 'request' | 'import' | 'crl';
  /** Of the intermediate that issues; keys of SSH have none. */
  readonly certificate?: Optional<CertificateRef>;
  readonly by: Actor;
}

/** A service got a certificate. Recorded durably before the answer. */
export interface CertificateIssued {
  readonly kind: 'certificate-issued';
  readonly use: 'service';
  /** `service/billing`. */
  readonly holder: string;
  readonly certificate: CertificateRef;
  readonly grant: 'enrolment' | 'renewal';
  readonly client: Peer;
}

/** Somebody took one certificate's worth away. Recorded durably before it is done. */
export interface CertificateRevoked {
  readonly kind: 'certificate-revoked';
  readonly holder: string;
  readonly certificate: CertificateRef;
  readonly by: Actor;
  readonly reason?: Optional<string>;
}

/** A person gets an SSH certificate. Recorded durably before they have it. */
export interface SshCertificateIssued {
  readonly kind: 'ssh-certificate-issued';
  readonly subject: Subject;
  readonly session: string;
  readonly app: string;
  /** Id of the access-decided event that allowed it. */
  readonly decisionId: string;
  /** Decimal, as sshd logs it. */
  readonly serial: string;
  /** sshd logs it too. */
  readonly keyId: string;
  /** Accounts that it opens. */
  readonly principals: readonly string[];
  /** Fingerprints, `SHA256:…`: of the person's key, and of the authority's. */
  readonly key: string;
  readonly authority: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  readonly client: Peer;
  readonly traceId: string;
}

/** Somebody signed in asked for an SSH certificate that nobody gets; what policy refuses is its own event. */
export interface SshCertificateRefused {
  readonly kind: 'ssh-certificate-refused';
  /** `bad-key`, `not-permitted`, `too-many`, … */
  readonly code: string;
  readonly reason: string;
  readonly subject: Subject;
  readonly session: string;
  readonly client: Peer;
  readonly traceId: string;
}

export type PkiEvent =
  | AuthorityChanged
  | CertificateIssued
  | CertificateRevoked
  | SshCertificateIssued
  | SshCertificateRefused;
