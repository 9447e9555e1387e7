// Examples of events about authorities and certificates.
import type { Subject } from '#policy/input';
import type { Actor, CertificateRef, EventOf, Peer } from '#siem/event';

type Kind = 'authority-changed' | 'certificate-issued' | 'certificate-revoked';

export function pkiExamples(
  by: Actor,
  certificate: CertificateRef,
  client: Peer,
  subject: Subject,
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
      use: 'ssh',
      holder: 'ada@example.com',
      certificate,
      grant: 'session',
      principals: ['ada'],
      subject,
      session: '019cb830-4000-7a00-8000-000000000002',
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
