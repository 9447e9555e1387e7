// What may be recorded of authorities and of the certificates they give to services and people.
import type { Subject } from '#policy/input';
import type { Actor, CertificateRef, Peer } from './event.ts';

type Optional<T> = T | undefined;

/** Something about an authority changes. What an admin asks for is recorded durably before it is done. */
export interface AuthorityChanged {
  readonly kind: 'authority-changed';
  readonly authority: string;
  /** `issuing`: another intermediate issues from now on; all others: somebody asked for that. */
  readonly change: 'issuing' | 'rotate' | 'request' | 'import' | 'crl';
  /** Of the intermediate that issues. */
  readonly certificate?: Optional<CertificateRef>;
  readonly by: Actor;
}

/** A service or a person got a certificate. Recorded durably before the answer. */
export interface CertificateIssued {
  readonly kind: 'certificate-issued';
  readonly use: 'service' | 'ssh';
  /** `service/billing`, or the key id of an SSH certificate. */
  readonly holder: string;
  readonly certificate: CertificateRef;
  readonly grant: 'enrolment' | 'renewal' | 'session';
  /** Who may log in with an SSH certificate, by account. */
  readonly principals?: Optional<readonly string[]>;
  readonly subject?: Optional<Subject>;
  readonly session?: Optional<string>;
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

export type PkiEvent = AuthorityChanged | CertificateIssued | CertificateRevoked;
