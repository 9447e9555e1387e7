// Generates policy documents: small names, so that rules meet each other, and every criterion there is.
import fc from 'fast-check';
import type {
  WrittenCondition,
  WrittenDevice,
  WrittenPolicy,
  WrittenRule,
  WrittenWindow,
  WrittenWorkload,
} from '../reference/written.ts';

export const APPS: readonly string[] = ['app1', 'app2', 'ssh1'];
const ZONES = ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'UTC'];
const PATHS = [
  '/',
  '/**',
  '/api/**',
  '/api/users',
  '/api/users/{id}',
  '/api/*/items',
  '/Admin/**',
  '/a%20b/c',
  '/x/',
];
const CLAIMS = ['attested', 'secureBoot', 'baseline', 'sameBoot', 'hardwareKey'] as const;
const SEVERITIES = ['none', 'low', 'medium', 'high', 'critical'] as const;
export const INSTANTS: readonly string[] = [
  '2026-03-29T00:30:00Z',
  '2026-03-29T03:00:00+02:00',
  '2026-10-25T01:00:00Z',
  '2028-02-29T12:00:00Z',
  '2026-07-01T08:00:00.500+05:45',
];

const duration = fc.constantFrom('30s', '15m', '1h30m', '8h', '30d');
const time = fc.constantFrom('00:00', '02:30', '08:00', '12:15', '18:00', '22:00', '23:59');
const oneOrList = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> =>
  fc.oneof(value, fc.uniqueArray(value, { minLength: 1, maxLength: 3 }));

/** Some of the given keys, at least one: an empty mapping is refused. */
function some<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc
    .uniqueArray(fc.constantFrom(...(Object.keys(model) as (keyof T)[])), { minLength: 1, maxLength: 3 })
    .chain(
      (keys) =>
        fc.record(
          Object.fromEntries(keys.map((key) => [key, model[key]])) as typeof model,
        ) as unknown as fc.Arbitrary<T>,
    );
}

const device = some<Required<WrittenDevice>>({
  ...(Object.fromEntries(CLAIMS.map((claim) => [claim, fc.boolean()])) as Record<
    (typeof CLAIMS)[number],
    fc.Arbitrary<boolean>
  >),
  firmware: fc.constantFrom('1', '1.9', '1.10.2'),
  quotedWithin: duration,
});

const workload = some<Required<WrittenWorkload>>({
  signedBy: oneOrList(fc.constantFrom('ci', 'release')),
  provenance: oneOrList(fc.constantFrom('slsa3', 'local')),
  worstCve: fc.oneof(
    fc.constantFrom(...SEVERITIES),
    fc.constantFrom(...SEVERITIES).map((atLeast) => ({ atLeast })),
    fc.constant({ atLeast: 'low' as const, atMost: 'high' as const }),
  ),
  scannedWithin: duration,
});

const window: fc.Arbitrary<WrittenWindow> = fc
  .record(
    {
      days: fc.oneof(
        fc.constantFrom('mon-fri', 'sun', 'fri-mon'),
        fc.constant(['sat', 'sun']),
        fc.constant(['mon', 'wed-thu']),
      ),
      from: time,
      to: fc.oneof(time, fc.constant('24:00')),
      zone: fc.constantFrom(...ZONES),
    },
    { requiredKeys: ['from', 'to'] },
  )
  .filter(({ from, to }) => from !== to);

const condition = some<Required<WrittenCondition>>({
  hours: oneOrList(fc.constantFrom('h1', 'h2', 'h3')),
  device: fc.oneof(fc.constantFrom('d1', 'd2'), device),
  mfa: duration,
  phishingResistant: fc.constant(true),
  amr: oneOrList(fc.constantFrom('otp', 'hwk', 'swk')),
  acr: oneOrList(fc.constantFrom('phr', 'aal2')),
  provider: oneOrList(fc.constantFrom('idp', 'other')),
  network: oneOrList(fc.constantFrom('n1', 'n2', 'n3')),
  country: oneOrList(fc.constantFrom('DE', 'KP', 'private')),
  asn: oneOrList(fc.constantFrom(64_500, 64_501)),
  feed: fc.oneof(
    fc.constantFrom('none' as const, 'any' as const),
    fc.constant(['tor']),
    fc.constant(['tor', 'botnet']),
  ),
  risk: fc.oneof(
    fc.constantFrom(20, 50.5),
    fc.constantFrom(0, 30).map((atLeast) => ({ atLeast })),
    fc.constant({ atLeast: 10, below: 40 }),
  ),
  key: fc.constantFrom('tpm', 'file'),
  ticket: fc.constantFrom('open', 'none'),
  approved: fc.boolean(),
  workload: fc.oneof(fc.constantFrom('w1'), workload),
  connector: fc.oneof(fc.constantFrom('d1', 'd2'), device),
});

const selector = fc.constantFrom(
  'everyone',
  'a',
  'b',
  'c',
  'group:b',
  'idp:x',
  'idp:y',
  'user:u1',
  'user:U2@Example.org',
  'service:*',
  'service:spiffe://td/ns/web/*',
  'service:spiffe://td/ns/web/api',
  'role:admin',
);
const members = fc.uniqueArray(
  selector.filter((one) => one !== 'everyone'),
  { minLength: 1, maxLength: 3 },
);

function rule(index: number): fc.Arbitrary<WrittenRule> {
  const id = `r${index}`;
  const apps = fc.oneof(
    { weight: 1, arbitrary: fc.constant('*') },
    { weight: 4, arbitrary: fc.constantFrom(...APPS) },
    { weight: 1, arbitrary: fc.constant(['app1', 'app2']) },
  );
  const when = fc.oneof(condition, fc.array(condition, { minLength: 1, maxLength: 3 }));
  const shared = {
    who: oneOrList(selector),
    mode: fc.constantFrom('enforce' as const, 'enforce' as const, 'shadow' as const),
    from: fc.constantFrom(...INSTANTS),
    when,
  };
  const http = {
    methods: oneOrList(fc.constantFrom('GET', 'POST', 'M-SEARCH')),
    paths: oneOrList(fc.constantFrom(...PATHS)),
  };
  const burdens = {
    readOnly: fc.constant(true as const),
    rate: fc.constantFrom('10/1m', '100/1m'),
    maxSession: duration,
    stepUp: fc.constantFrom({ mfa: '15m' }, { phishingResistant: true as const }),
  };
  const plain = { id: fc.constant(id), allow: apps, ...shared, ...http };
  const asked = { requiredKeys: ['id', 'allow', 'who'] as ('id' | 'allow' | 'who')[] };
  const allow = fc.oneof(
    { weight: 9, arbitrary: fc.record(plain, asked) },
    { weight: 5, arbitrary: fc.record({ ...plain, ...burdens }, asked) },
    { weight: 1, arbitrary: fc.record({ ...plain, redact: fc.constant('cards') }, asked) },
  );
  const deny = fc.record(
    { id: fc.constant(id), deny: apps, ...shared, ...http, unless: when },
    { requiredKeys: ['id', 'deny'] },
  );
  const tcp = fc.record(
    { id: fc.constant(id), allow: apps, ...shared, protocol: fc.constant('tcp' as const) },
    { requiredKeys: ['id', 'allow', 'who', 'protocol'] },
  );
  return fc.oneof(
    { weight: 5, arbitrary: allow },
    { weight: 3, arbitrary: deny },
    { weight: 1, arbitrary: tcp },
  );
}

/** `until` three days after `from`, so that the rule is in force for a while. */
function limited(written: WrittenRule, add: boolean): WrittenRule {
  if (!add || written.from === undefined) return written;
  return { ...written, until: new Date(Date.parse(written.from) + 3 * 86_400_000).toISOString() };
}

/** Whole documents, valid by construction, of up to seven rules. */
export const policies: fc.Arbitrary<WrittenPolicy> = fc
  .record({
    zone: fc.constantFrom(...ZONES),
    groups: fc.record({ a: members, b: members, c: members }),
    devices: fc.record({ d1: device, d2: device }),
    hours: fc.record({ h1: oneOrListOfWindows(), h2: oneOrListOfWindows(), h3: oneOrListOfWindows() }),
    workloads: fc.record({ w1: workload }),
    limits: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
    rules: fc
      .integer({ min: 1, max: 7 })
      .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => rule(index)))),
  })
  .map(({ groups, limits, rules, ...rest }) => ({
    version: 1 as const,
    ...rest,
    groups: Object.fromEntries(
      Object.entries(groups).map(([name, list]) => [name, { members: withoutSelf(name, list) }]),
    ),
    networks: {
      n1: ['203.0.113.0/24', '2001:db8::/33'],
      n2: ['203.0.113.128/25', '198.51.100.7', '10.0.0.0/8'],
      n3: ['0.0.0.0/0', '2001:db8:8000::1/128'],
    },
    apps: APPS,
    rules: rules.map((one, index) => limited(one, limits[index] ?? false)),
  }));

function oneOrListOfWindows(): fc.Arbitrary<WrittenWindow | WrittenWindow[]> {
  return fc.oneof(window, fc.array(window, { minLength: 1, maxLength: 2 }));
}

function withoutSelf(name: string, list: readonly string[]): string[] {
  const kept = list.filter((member) => member !== name && member !== `group:${name}`);
  return kept.length === 0 ? ['idp:z'] : kept;
}
