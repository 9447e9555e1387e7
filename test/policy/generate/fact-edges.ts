// Values at which a criterion's answer changes, whatever a rule asks: one list for each kind of fact.
import type { Connector, Device, Login, Workload } from '#policy/input';
import type { WrittenPolicy } from '../reference/written.ts';
import { APPS } from './policies.ts';
import { type Draft, setLogin, subjectFor } from './satisfy.ts';

/** Moves one fact of a request to an edge. */
export type Edge = (draft: Draft) => void;

export function subjectEdges(policy: WrittenPolicy): Edge[] {
  const selectors = [
    'idp:x',
    'idp:y',
    'a',
    'role:admin',
    'user:u1',
    'user:u2@example.org',
    'service:spiffe://td/ns/web/api',
    'service:spiffe://td/ns/web',
    'everyone',
  ];
  return [
    ...selectors.map(
      (one): Edge =>
        (draft) => {
          draft.subject = subjectFor(one, policy);
        },
    ),
    ...selectors.map(
      (one): Edge =>
        (draft) => {
          draft.subject = { ...draft.subject, groups: [one] };
        },
    ),
    (draft) => {
      draft.subject = { ...draft.subject, kind: draft.subject.kind === 'user' ? 'service' : 'user' };
    },
    (draft) => {
      draft.subject = { ...draft.subject, roles: ['admin'] };
    },
  ];
}

export function targetEdges(): Edge[] {
  const paths = [
    '/',
    '/api',
    '/api/',
    '/API/users',
    '/api/users/',
    '/api/users/7',
    '/api/%75sers',
    '/admin',
    '/Admin/x',
    '/admin;v=1/x',
    '/adm%3Bin',
    '/api/..',
    '/api/..;/admin',
    '/api/.x',
    '/api//users',
    '/api/\\x',
    '/api/users?x',
    '/a%20b/c',
    '/a%2fb',
    '/A%20B/C',
    '/x',
    '/x/',
    '*',
    '',
    '/api/ü',
    '/api/x/items',
    '/api/%41',
    '/api/%2541',
    '/api/%C0%AE',
    '/api/%E0%80%AF',
    '/api/a|b',
    '/api/%C3%A9',
  ];
  const set =
    (change: Partial<Record<'app' | 'protocol' | 'method' | 'path', string | undefined>>): Edge =>
    (draft) => {
      const merged = { ...draft.target, ...change };
      draft.target = Object.fromEntries(
        Object.entries(merged).filter(([, value]) => value !== undefined),
      ) as unknown as Draft['target'];
    };
  return [
    ...paths.map((path) => set({ path })),
    ...['GET', 'POST', 'get', 'PATCH', 'M-SEARCH', '', undefined].map((method) => set({ method })),
    ...[...APPS, 'nowhere', '__proto__'].map((app) => set({ app })),
    set({ protocol: 'tcp' }),
    set({ protocol: 'http' }),
    set({ path: undefined }),
  ];
}

/** Edges of a machine's posture: the device's, or that of the connector. */
function machineEdges(remove: Edge, change: (change: object) => Edge): Edge[] {
  const claims = ['attested', 'secureBoot', 'baseline', 'sameBoot', 'hardwareKey'].flatMap((claim) =>
    [true, false, undefined].map((value) => ({ [claim]: value })),
  );
  const firmwares = ['1', '1.0', '1.8.9', '1.9', '1.9.0.1', '1.10', '1.10.2', '2', 'v1.9', '', undefined].map(
    (firmware) => ({ firmware }),
  );
  return [remove, ...[...claims, ...firmwares].map(change)];
}

export function deviceEdges(): Edge[] {
  return machineEdges(
    (draft) => {
      delete draft.device;
    },
    (change) => (draft) => {
      draft.device = { id: 'd', ...draft.device, ...change } as Device;
    },
  );
}

export function connectorEdges(): Edge[] {
  return machineEdges(
    (draft) => {
      delete draft.connector;
    },
    (change) => (draft) => {
      draft.connector = { name: 'c', ...draft.connector, ...change } as Connector;
    },
  );
}

export function loginEdges(): Edge[] {
  const changes = [
    { amr: undefined },
    { amr: [] },
    { amr: ['swk'] },
    { amr: ['pwd', 'hwk'] },
    { amr: ['otp'] },
    { acr: undefined },
    { acr: 'phr' },
    { acr: 'phrh' },
    { acr: 'phrx' },
    { provider: 'other' },
  ];
  return [
    (draft) => {
      delete draft.login;
    },
    ...changes.map(
      (change): Edge =>
        (draft) =>
          setLogin(draft, change as Partial<Login>),
    ),
  ];
}

export function networkEdges(): Edge[] {
  const addresses = [
    '203.0.112.255',
    '203.0.113.0',
    '203.0.113.127',
    '203.0.113.128',
    '203.0.113.255',
    '203.0.114.0',
    '198.51.100.7',
    '198.51.100.8',
    '9.255.255.255',
    '10.255.255.255',
    '::ffff:203.0.113.1',
    '::FFFF:cb00:7101',
    '2001:db8::',
    '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff',
    '2001:db8:8000::',
    '2001:db8:8000::1',
    '2001:db8:8000:0:0:0:0:1',
    '::1.2.3.4',
    '::',
    '',
    '1.2.3',
    '01.2.3.4',
    '1.2.3.4:80',
    'fe80::1%eth0',
    '1::2::3',
    'localhost',
  ];
  const changes = [
    { country: undefined },
    { country: 'KP' },
    { country: 'private' },
    { country: 'kp' },
    { asn: undefined },
    { asn: 64_500 },
    { asn: 1 },
    { feeds: undefined },
    { feeds: [] },
    { feeds: ['tor'] },
    { feeds: ['x', 'botnet'] },
  ];
  return [...addresses.map((address) => ({ address })), ...changes].map(
    (change): Edge =>
      (draft) => {
        draft.network = { ...draft.network, ...change } as Draft['network'];
      },
  );
}

export function stateEdges(): Edge[] {
  const risks = [
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    0,
    9.99,
    10,
    19.99,
    20,
    29.9,
    30,
    39.99,
    40,
    50.5,
    50.6,
    100,
  ];
  return [
    ...risks.map(
      (risk): Edge =>
        (draft) => {
          if (risk === undefined) delete draft.risk;
          else draft.risk = risk;
        },
    ),
    ...(['tpm', 'file', undefined] as const).map(
      (key): Edge =>
        (draft) => {
          const { key: _before, ...subject } = draft.subject;
          draft.subject = key === undefined ? subject : { ...subject, key };
        },
    ),
    ...(['open', 'none'] as const).map(
      (ticket): Edge =>
        (draft) => {
          draft.ticket = ticket;
        },
    ),
    (draft) => {
      delete draft.ticket;
    },
    ...[true, false].map(
      (approved): Edge =>
        (draft) => {
          draft.approved = approved;
        },
    ),
    (draft) => {
      delete draft.approved;
    },
  ];
}

export function workloadEdges(): Edge[] {
  const severities = ['none', 'low', 'medium', 'high', 'critical', undefined].map((worstCve) => ({
    worstCve,
  }));
  const changes = [
    { signedBy: undefined },
    { signedBy: [] },
    { signedBy: ['x', 'ci'] },
    { provenance: undefined },
    { provenance: ['local'] },
    ...severities,
  ];
  return [
    (draft) => {
      delete draft.workload;
    },
    ...changes.map(
      (change): Edge =>
        (draft) => {
          draft.workload = { ...draft.workload, ...change } as Workload;
        },
    ),
  ];
}
