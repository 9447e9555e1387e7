// Generates requests at the edges of what rules ask: first one that a rule is satisfied with as far as possible,
// then a few pushes of single facts to where the answer changes. Purely random requests miss most mistakes.
import fc from 'fast-check';
import type { AccessRequest, Device, Login, Subject, Workload } from '#policy/input';
import { milliseconds } from '../reference/facts.ts';
import {
  many,
  type WrittenCondition,
  type WrittenPolicy,
  type WrittenRule,
  type WrittenWindow,
} from '../reference/written.ts';
import { APPS, INSTANTS } from './policies.ts';

/** Numbers from which a request is built for whatever policy it meets; small ones make simple requests. */
export interface Choices {
  readonly rule: number;
  readonly alternative: number;
  readonly lift: boolean;
  readonly pushes: readonly (readonly [number, number])[];
}

export const choices: fc.Arbitrary<Choices> = fc.record({
  rule: fc.nat(50),
  alternative: fc.nat(50),
  lift: fc.boolean(),
  pushes: fc.array(fc.tuple(fc.nat(500), fc.nat(500)), { maxLength: 3 }),
});

type Draft = { -readonly [K in keyof AccessRequest]: AccessRequest[K] };
type Edge = (draft: Draft) => void;

export function requestFor(
  policy: WrittenPolicy,
  { rule, alternative, lift, pushes }: Choices,
): AccessRequest {
  const target = pick(policy.rules, rule);
  const condition = pick([...many(target.when), {}], alternative);
  const draft = satisfying(target, condition, policy);
  const lifting = pick([...many(target.unless), {}], alternative);
  if (lift) satisfy(draft, lifting, policy);
  const edges = edgesOf(target, [condition, lifting], policy);
  for (const [dimension, edge] of pushes) pick(pick(edges, dimension), edge)(draft);
  return draft;
}

function pick<T>(values: readonly T[], index: number): T {
  return values[index % values.length] as T;
}

function satisfying(rule: WrittenRule, condition: WrittenCondition, policy: WrittenPolicy): Draft {
  const app = pick(many(rule.allow ?? rule.deny), 0);
  const path = pick(many(rule.paths ?? '/api/users'), 0).replace(/\{\w+\}|\*\*|\*/g, 'v1');
  const tcp = rule.protocol === 'tcp';
  const draft: Draft = {
    version: 1,
    at: Date.parse(rule.from ?? '2026-03-04T10:00:00Z'),
    subject: subjectFor(pick(many(rule.who ?? 'everyone'), 0), policy),
    login: { provider: 'idp', at: 0 },
    target: {
      app: app === '*' ? 'app2' : app,
      protocol: tcp ? 'tcp' : 'http',
      ...(tcp ? {} : { method: pick(many(rule.methods ?? 'GET'), 0), path }),
    },
    network: { address: '192.0.2.1' },
  };
  satisfy(draft, condition, policy);
  return draft;
}

function subjectFor(selector: string, policy: WrittenPolicy, depth = 0): Subject {
  const user: Subject = { kind: 'user', id: 'u9', groups: [], roles: [] };
  const rest = selector.slice(selector.indexOf(':') + 1);
  if (selector.startsWith('user:'))
    return rest.includes('@') ? { ...user, email: rest.toUpperCase() } : { ...user, id: rest };
  if (selector.startsWith('service:')) return { ...user, kind: 'service', id: rest.replace('*', 'x') };
  if (selector.startsWith('role:')) return { ...user, roles: [rest] };
  const members = policy.groups?.[rest === selector || selector.startsWith('group:') ? rest : '']?.members;
  if (members !== undefined && depth < 4) return subjectFor(pick(members, depth), policy, depth + 1);
  return { ...user, groups: [selector] };
}

function satisfy(draft: Draft, condition: WrittenCondition, policy: WrittenPolicy): void {
  const {
    hours,
    mfa,
    phishingResistant,
    amr,
    acr,
    provider,
    network,
    country,
    asn,
    feed,
    risk,
    ticket,
    approved,
  } = condition;
  if (hours !== undefined) draft.at = openingOf(pick(windowsOf(hours, policy), 0), policy, draft.at);
  const device = typeof condition.device === 'string' ? policy.devices?.[condition.device] : condition.device;
  const workload =
    typeof condition.workload === 'string' ? policy.workloads?.[condition.workload] : condition.workload;
  setLogin(draft, {
    ...(mfa === undefined ? {} : { mfaAt: draft.at - milliseconds(mfa) }),
    ...(amr === undefined ? {} : { amr: [pick(many(amr), 0)] }),
    ...(acr === undefined ? {} : { acr: pick(many(acr), 0) }),
    ...(provider === undefined ? {} : { provider: pick(many(provider), 0) }),
    ...(phishingResistant === undefined ? {} : { amr: [...many(amr), 'hwk'] }),
  });
  if (device !== undefined) {
    const { quotedWithin, ...claims } = device;
    draft.device = {
      id: 'd',
      ...draft.device,
      ...claims,
      ...(quotedWithin === undefined ? {} : { quotedAt: draft.at - milliseconds(quotedWithin) }),
    };
  }
  if (workload !== undefined) {
    const { worstCve: cve } = workload;
    draft.workload = {
      ...draft.workload,
      ...(workload.signedBy === undefined ? {} : { signedBy: [pick(many(workload.signedBy), 0)] }),
      ...(workload.provenance === undefined ? {} : { provenance: [pick(many(workload.provenance), 0)] }),
      ...(cve === undefined ? {} : { worstCve: typeof cve === 'string' ? cve : (cve.atLeast ?? 'none') }),
      ...(workload.scannedWithin === undefined
        ? {}
        : { scannedAt: draft.at - milliseconds(workload.scannedWithin) }),
    };
  }
  const cidr = network === undefined ? undefined : policy.networks?.[pick(many(network), 0)]?.[0];
  draft.network = {
    address: cidr?.split('/')[0] ?? draft.network.address,
    ...(country === undefined ? {} : { country: pick(many(country), 0) }),
    ...(asn === undefined ? {} : { asn: pick(many(asn), 0) }),
    ...(feed === undefined ? {} : { feeds: feed === 'none' ? [] : feed === 'any' ? ['x'] : [...feed] }),
  };
  if (risk !== undefined) draft.risk = typeof risk === 'number' ? 0 : (risk.atLeast ?? 0);
  if (ticket !== undefined) draft.ticket = ticket;
  if (approved !== undefined) draft.approved = approved;
}

function setLogin(draft: Draft, change: Partial<Login>): void {
  draft.login = { provider: 'idp', at: 0, ...draft.login, ...change };
}

function windowsOf(hours: string | readonly string[], policy: WrittenPolicy): WrittenWindow[] {
  return many(hours).flatMap((name) => many(policy.hours?.[name]));
}

/** The start of a window on one of the days after `near`. */
function openingOf(window: WrittenWindow, policy: WrittenPolicy, near: number): number {
  const zone = window.zone ?? policy.zone ?? 'UTC';
  const [day = 'mon'] = many(window.days ?? 'mon')
    .join('-')
    .split('-');
  const wanted = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].indexOf(day) + 1;
  const date = Temporal.Instant.fromEpochMilliseconds(near).toZonedDateTimeISO(zone).toPlainDate();
  const start = date.add({ days: (wanted - date.dayOfWeek + 7) % 7 });
  return start.toZonedDateTime({ timeZone: zone, plainTime: window.from }).epochMilliseconds;
}

const around = (value: number): number[] => [value - 1, value, value + 1];

/** Lists of edges, one list for each fact; asked facts get the edges of what is asked. */
function edgesOf(
  rule: WrittenRule,
  conditions: readonly WrittenCondition[],
  policy: WrittenPolicy,
): Edge[][] {
  const ages = conditions.flatMap(({ mfa }) => many(mfa)).map(milliseconds);
  const devices = conditions.map(({ device }) =>
    typeof device === 'string' ? policy.devices?.[device] : device,
  );
  const workloads = conditions.map(({ workload }) =>
    typeof workload === 'string' ? policy.workloads?.[workload] : workload,
  );
  const quotes = devices.flatMap((device) => many(device?.quotedWithin)).map(milliseconds);
  const scans = workloads.flatMap((workload) => many(workload?.scannedWithin)).map(milliseconds);
  const then =
    (elapsed: readonly number[]): ((at: number) => (number | undefined)[]) =>
    (at) => [...elapsed.flatMap((one) => around(at - one)), ...around(at + 60_000), undefined, Number.NaN];
  return [
    instantEdges(rule, conditions, policy),
    valueEdges(then(ages), (draft, mfaAt) => setLogin(draft, { mfaAt } as Partial<Login>)),
    valueEdges(then(quotes), (draft, quotedAt) => {
      draft.device = { id: 'd', ...draft.device, quotedAt } as Device;
    }),
    valueEdges(then(scans), (draft, scannedAt) => {
      draft.workload = { ...draft.workload, scannedAt } as Workload;
    }),
    subjectEdges(policy),
    targetEdges(),
    deviceEdges(),
    loginEdges(),
    networkEdges(),
    stateEdges(),
    workloadEdges(),
  ].filter((edges) => edges.length > 0);
}

function valueEdges<T>(values: (at: number) => readonly T[], set: (draft: Draft, value: T) => void): Edge[] {
  return values(0).map((_, index) => (draft) => set(draft, pick(values(draft.at), index)));
}

function instantEdges(
  rule: WrittenRule,
  conditions: readonly WrittenCondition[],
  policy: WrittenPolicy,
): Edge[] {
  const fixed = [rule.from, rule.until, ...INSTANTS].flatMap((text) =>
    text === undefined ? [] : around(Date.parse(text)),
  );
  const windows = conditions.flatMap(({ hours }) => (hours === undefined ? [] : windowsOf(hours, policy)));
  const atWindows = windows.flatMap((window): Edge[] =>
    [0, 3, 160, 236].flatMap((days) =>
      ['from', 'to'].flatMap((end) =>
        [-1, 0, 60_000].map(
          (offset): Edge =>
            (draft) => {
              const time = end === 'to' && window.to !== '24:00' ? window.to : window.from;
              const near = Date.UTC(2026, 2, 1) + days * 86_400_000;
              draft.at = openingOf({ ...window, from: time }, policy, near) + offset;
            },
        ),
      ),
    ),
  );
  const odd = [Number.NaN, -1, 0, 8.64e15 + 1, Date.UTC(10_000, 0, 1) - 1, Date.UTC(10_000, 0, 1)].map(
    (at): Edge =>
      (draft) => {
        draft.at = at;
      },
  );
  return [
    ...fixed.map(
      (at): Edge =>
        (draft) => {
          draft.at = at;
        },
    ),
    ...atWindows,
    ...atWindows,
    ...odd,
  ];
}

function subjectEdges(policy: WrittenPolicy): Edge[] {
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

function targetEdges(): Edge[] {
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

function deviceEdges(): Edge[] {
  const claims = ['attested', 'secureBoot', 'baseline', 'sameBoot', 'hardwareKey'].flatMap((claim) =>
    [true, false, undefined].map((value) => ({ [claim]: value })),
  );
  const firmwares = ['1', '1.0', '1.8.9', '1.9', '1.9.0.1', '1.10', '1.10.2', '2', 'v1.9', '', undefined].map(
    (firmware) => ({ firmware }),
  );
  return [
    (draft) => {
      delete draft.device;
    },
    ...[...claims, ...firmwares].map(
      (change): Edge =>
        (draft) => {
          draft.device = { id: 'd', ...draft.device, ...change } as Device;
        },
    ),
  ];
}

function loginEdges(): Edge[] {
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

function networkEdges(): Edge[] {
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

function stateEdges(): Edge[] {
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

function workloadEdges(): Edge[] {
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
