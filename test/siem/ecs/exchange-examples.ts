// Examples of events about tokens in a person's name.
import type { EventOf } from '#siem/event';
import type { Peer } from '#siem/parties';

const client: Peer = {
  address: '198.51.100.4',
  port: 41_000,
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', certificateSha256: 'a1b2' },
};

type Kind = 'token-exchanged' | 'token-exchange-refused';

export const exchangeExamples: { readonly [K in Kind]: EventOf<K> } = {
  'token-exchanged': {
    kind: 'token-exchanged',
    service: { kind: 'service', id: 'spiffe://prod.example/front', groups: [], roles: [] },
    person: {
      kind: 'user',
      id: 'https://idp.example#248289761001',
      name: 'Ada Example',
      groups: [],
      roles: [],
    },
    session: '019cb830-4000-7a00-8000-000000000002',
    app: 'grafana.prod',
    scope: ['GET'],
    expiresIn: 60,
    client,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  },
  'token-exchange-refused': {
    kind: 'token-exchange-refused',
    code: 'invalid_request',
    reason: 'subject-expired',
    client,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  },
};
