// Examples of events about authorities and certificates.
import type { Actor, CertificateRef, EventOf, Peer } from '#siem/event';

type Kind = 'authority-changed' | 'certificate-issued' | 'certificate-revoked';

export function pkiExamples(
  by: Actor,
  certificate: CertificateRef,
  client: Peer,
): { readonly [K in Kind]: EventOf<K> } {
  return {
    'authority-changed': {
      kind: 'authority-changed',
      authority: 'connector-ca',
      change: 'issuing',
      certificate,
      by,
    },
    'certificate-issued': {
      kind: 'certificate-issued',
      use: 'service',
      holder: 'service/billing',
      certificate: { ...certificate, key: 'tpm' },
      grant: 'enrolment',
      client,
    },
    'certificate-revoked': {
      kind: 'certificate-revoked',
      holder: 'service/billing',
      certificate,
      by,
      reason: 'key lost',
    },
  };
}
