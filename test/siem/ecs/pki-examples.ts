// Examples of events about authorities and certificates.
import type { EventOf } from '#siem/event';
import type { Actor, CertificateRef, Peer } from '#siem/parties';

type Kind =
  | 'authority-changed'
  | 'certificate-issued'
  | 'certificate-revoked'
  | 'ssh-certificate-issued'
  | 'ssh-certificate-refused';

const asked = {
  subject: {
    kind: 'user',
    id: 'https://idp.example#248289761001',
    name: 'Ada Example',
    email: 'ada@example.com',
    groups: [],
    roles: [],
  },
  session: '019cb830-4000-7a00-8000-000000000002',
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
} as const;

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
    'ssh-certificate-issued': {
      kind: 'ssh-certificate-issued',
      ...asked,
      app: 'shell.prod',
      decisionId: '019cb830-4000-7a00-8000-000000000003',
      serial: '18364758544493064720',
      keyId:
        'ada@example.com session=019cb830-4000-7a00-8000-000000000002 decision=019cb830-4000-7a00-8000-000000000003',
      principals: ['deploy', 'ada'],
      key: 'SHA256:9tP0qJZl6p0lJQmDkW2ZzV5m0l8kq0c2mJwq0n8hC1U',
      authority: 'SHA256:kXw2nUuE2l0Z7r4QyC4m9S0y1yq7z2kT8cQh2bHk3dA',
      notAfter: 1_772_619_300_000,
      client,
    },
    'ssh-certificate-refused': {
      kind: 'ssh-certificate-refused',
      ...asked,
      code: 'bad-key',
      reason: 'this public key is not certified: it is a certificate: send the public key itself',
      client,
    },
  };
}
