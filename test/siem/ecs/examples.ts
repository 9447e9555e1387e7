// One full example of every kind of event: tests validate them, and the documentation shows them.
import { INPUT_VERSION } from '#policy/input';
import type { EventKind, EventOf } from '#siem/event';
import type { Peer } from '#siem/parties';
import { changeExamples } from './change-examples.ts';
import { deviceExamples } from './device-examples.ts';
import { exchangeExamples } from './exchange-examples.ts';
import { pkiExamples } from './pki-examples.ts';

const at = Date.parse('2026-03-04T09:12:13.456Z');
const policyHash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const decisionId = '019cb830-5000-7a00-8000-000000000001';

const subject = {
  kind: 'user',
  id: 'https://idp.example#248289761001',
  name: 'Ada Example',
  email: 'ada@example.com',
  groups: ['idp:eng-sre'],
  roles: ['admin'],
} as const;

const client: Peer = {
  address: '203.0.113.7',
  port: 50_123,
  country: 'DE',
  asn: 64_500,
  tls: {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverName: 'grafana.example.com',
    ja4: 't13d1516h2_8daaf6152771_02713d6af862',
  },
};

const connectorPeer: Peer = {
  address: '198.51.100.4',
  port: 41_000,
  tls: {
    version: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    certificateSha256:
      'a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90:a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90',
  },
};

const login = { provider: 'idp', at: at - 7_200_000, mfaAt: at - 7_200_000, amr: ['pwd', 'mfa'], acr: 'phr' };
const connector = { name: 'berlin-1', version: '0.1.0' };
const certificate = { serial: '4f2a', sha256: 'a1b2', notAfter: at + 86_400_000 };
const operator = { kind: 'operator', id: 'root@gw1' } as const;
const session = '019cb830-4000-7a00-8000-000000000002';

export const examples: { readonly [K in EventKind]: EventOf<K> } = {
  'access-decided': {
    kind: 'access-decided',
    decision: {
      verdict: 'deny',
      reason: 'no-rule-matched',
      shadow: [
        { rule: 'oncall-grafana', would: 'allow' },
        { rule: 'embargo', would: 'deny' },
      ],
    },
    policyHash,
    input: {
      version: INPUT_VERSION,
      at,
      subject,
      login,
      device: { id: 'laptop-17', attested: true, secureBoot: true },
      target: { app: 'grafana.prod', protocol: 'http', method: 'GET', path: '/d/payments' },
      network: { address: '203.0.113.7', country: 'DE', asn: 64_500 },
    },
    explanation: {
      decision: { verdict: 'deny', reason: 'no-rule-matched' },
      nearest: [
        {
          rule: 'sre-grafana',
          effect: 'allow',
          unmet: [{ criterion: 'mfa', code: 'mfa-too-old', need: 'at most 15m old', have: '2h old' }],
          met: ['who', 'methods', 'device', 'hours'],
        },
      ],
      remedy: { kind: 'step-up', maxAge: 900_000, acr: 'phr', phishingResistant: true },
      entitled: true,
    },
    client,
    request: {
      method: 'GET',
      host: 'grafana.example.com',
      port: 443,
      path: '/d/payments',
      query: 'from=now-6h&token=hunter2',
      httpVersion: '1.1',
      userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
      referrer: 'https://portal.example.com/apps?code=hunter2',
      bodyBytes: 0,
    },
    session,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    connector,
    acting: {
      chain: ['spiffe://prod.example/front', 'spiffe://prod.example/gateway/gw1'],
      person: subject,
      transaction: '019cb830-4000-7a00-8000-00000000000a',
    },
    status: 403,
  },
  ...exchangeExamples,
  'request-refused': {
    kind: 'request-refused',
    code: 'encoded-slash',
    status: 400,
    client,
    host: 'ada:hunter2@grafana.example.com',
    method: 'GET',
    target: '/a%2fb?token=hunter2',
  },
  'refusals-summed': {
    kind: 'refusals-summed',
    client: { address: client.address },
    addresses: 1,
    count: 48_211,
    byCode: [
      { code: 'parse', count: 48_000 },
      { code: 'timeout', count: 211 },
    ],
    from: at - 60_000,
    to: at,
  },
  'stream-closed': {
    kind: 'stream-closed',
    decisionId,
    app: 'grafana.prod',
    subject,
    session,
    client,
    connector,
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    reason: 'session-ended',
    startedAt: at,
    durationMs: 84.25,
    enforceMs: 12,
    bytesFromClient: 812,
    bytesToClient: 40_960,
    status: 200,
  },
  'login-succeeded': {
    kind: 'login-succeeded',
    subject,
    login,
    session,
    client,
    userAgent: 'Mozilla/5.0',
    stepUp: false,
  },
  'login-failed': {
    kind: 'login-failed',
    code: 'id-token-invalid',
    provider: 'idp',
    subject,
    client,
    userAgent: 'Mozilla/5.0',
  },
  logout: { kind: 'logout', subject, session, client },
  'session-ended': { kind: 'session-ended', cause: 'expired', subject, session },
  'session-revoked': {
    kind: 'session-revoked',
    subject,
    session,
    by: { kind: 'user', id: 'https://idp.example#7', name: 'Sam Admin' },
    reason: 'laptop lost',
    enforceMs: 412,
    streamsClosed: 3,
  },
  'access-revoked': {
    kind: 'access-revoked',
    target: { kind: 'person', id: 'https://idp.example#7' },
    by: operator,
    reason: 'left the company',
    sessions: 2,
    streams: 3,
  },
  'enrolment-token-created': {
    kind: 'enrolment-token-created',
    connector,
    by: operator,
    expiresAt: at + 3_600_000,
  },
  'connector-enrolled': { kind: 'connector-enrolled', connector, certificate, client: connectorPeer },
  'connector-enrolment-refused': {
    ...{ kind: 'connector-enrolment-refused', code: 'token-expired' },
    connector,
    client: connectorPeer,
  },
  'connector-renewed': {
    ...{ kind: 'connector-renewed', connector, certificate },
    replaces: { serial: '4f29' },
    client: connectorPeer,
  },
  'connector-connected': {
    kind: 'connector-connected',
    connector,
    certificate,
    client: connectorPeer,
    link: '7f3a',
    apps: ['grafana.prod'],
  },
  'connector-disconnected': {
    kind: 'connector-disconnected',
    connector,
    client: connectorPeer,
    link: '7f3a',
    code: 'silent',
    reason: 'nothing heard for 8 s after a ping',
    connectedAt: at - 60_000,
    durationMs: 60_000,
    streamsLost: 2,
  },
  'connector-refused': {
    kind: 'connector-refused',
    code: 'certificate-revoked',
    connector,
    certificate,
    client: connectorPeer,
  },
  ...deviceExamples({ client, subject, session, by: operator, at }),
  ...changeExamples(operator, policyHash, at),
  ...pkiExamples(operator, certificate, connectorPeer),
  'policy-loaded': {
    kind: 'policy-loaded',
    file: '/etc/sallyport/policy.yaml',
    hash: policyHash,
    previousHash: '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752',
    rules: 42,
    by: operator,
  },
  'policy-rejected': {
    kind: 'policy-rejected',
    file: '/etc/sallyport/policy.yaml',
    hash: '60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752',
    problems: ['3:7 unknown key "alow"; did you mean "allow"?'],
    keptHash: policyHash,
    by: operator,
  },
  'gateway-started': {
    kind: 'gateway-started',
    configHash: '2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae',
    policyHash,
    changeId: policyHash,
    codeHash: '3b9c358f36f0a31b6ad3e14f309c7cf198ac9246e8316f9ce543d5b19ac02b80',
    runtime: 'v26.10.0',
    timezones: '2026a',
    repairedBytes: 512,
  },
  'gateway-stopped': { kind: 'gateway-stopped', reason: 'SIGTERM', uptimeMs: 86_400_000 },
  heartbeat: {
    kind: 'heartbeat',
    intervalMs: 10_000,
    uptimeMs: 86_400_000,
    outbox: { bytes: 104_857_600, quotaBytes: 10_737_418_240, refused: 0 },
    sinks: [
      {
        name: 'elastic',
        type: 'elasticsearch',
        lagBytes: 2_048,
        lagSeconds: 0.4,
        delivered: 120_000,
        deadLetters: 0,
        retries: 3,
        healthy: true,
      },
    ],
    connectors: 4,
    policyHash,
  },
  'drill-started': { kind: 'drill-started', fault: 'state', seconds: 15, by: operator },
  'drill-ended': {
    ...{ kind: 'drill-ended', fault: 'disk', seconds: 15, held: false, by: operator },
    findings: [{ required: 'all is as before within 10 s of its end', seen: 'no room', held: false }],
  },
  'certificate-expiring': {
    ...{ kind: 'certificate-expiring', certificate: 'people', notAfter: at + 6 * 86_400_000, days: 7 },
  },
  'recording-interrupted': {
    kind: 'recording-interrupted',
    code: 'no-space',
    from: at - 30_000,
    to: at,
    refused: 17,
  },
  'ledger-checkpoint': {
    kind: 'ledger-checkpoint',
    log: 'decisions',
    size: 1_048_576,
    root: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    note: 'access.example.com/gw1/decisions\n1048576\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— access.example.com/gw1/decisions 3q2+7w==\n',
  },
  'siem-test': { kind: 'siem-test', sink: 'elastic', by: operator },
};
