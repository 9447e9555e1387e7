// What may be recorded of authorities and of the certificates they give to services and people.
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

export type PkiEvent = AuthorityChanged | CertificateIssued | CertificateRevoked;
