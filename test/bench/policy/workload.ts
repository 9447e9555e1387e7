// The workload all engines are compared on: 10,000 users in 300 nested groups, 125 apps, any number of rules, and
// requests that mostly come close to what some rule asks. Seeded, so that every run and every engine sees the same.
import type { AccessRequest, Subject } from '#policy/input';

const USERS = 10_000;
const GROUPS = 300;
const APPS = 125;

const HOUR = 3_600_000;
const COUNTRIES = ['DE', 'FR', 'US', 'JP', 'BR', 'KP', 'IR'] as const;
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const;
interface WorkloadHours {
  readonly name: string;
  readonly days: readonly number[];
  readonly from: number;
  readonly to: number;
}

type NetworkName = 'office' | 'vpn' | 'lab';

const HOURS: readonly WorkloadHours[] = [
  { name: 'office', days: [0, 1, 2, 3, 4], from: 8 * 60, to: 18 * 60 },
  { name: 'extended', days: [0, 1, 2, 3, 4, 5], from: 6 * 60, to: 22 * 60 },
  { name: 'night', days: [0, 1, 2, 3, 4], from: 22 * 60, to: 6 * 60 },
];
const DAY_NAMES = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const NETWORKS: Readonly<Record<NetworkName, readonly [number, number]>> = {
  office: [0xc0000200, 24],
  vpn: [0x0a000000, 8],
  lab: [0xc6336400, 24],
};

/** A rule in the form every engine's own rules are generated from. */
export interface WorkloadRule {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly app: string;
  readonly groups: readonly number[];
  readonly methods: readonly string[];
  readonly prefix?: string;
  readonly hours?: WorkloadHours;
  readonly hardened: boolean;
  readonly mfa?: number;
  readonly network?: NetworkName;
  readonly riskBelow?: number;
  readonly countries: readonly string[];
}

/** What a request is built from; the request itself is built anew for every decision. */
export interface RequestSeed {
  readonly user: number;
  readonly app: string;
  readonly method: string;
  readonly path: string;
  readonly at: number;
  readonly mfaAt: number;
  readonly hardened: boolean;
  readonly address: string;
  readonly country: string;
  readonly risk: number;
}

/** Mulberry32: small, seeded and good enough for a workload. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Workload {
  readonly rules: readonly WorkloadRule[];
  readonly subjects: readonly Subject[];
  /** For engines without nested groups: every group a user is in, flattened. */
  readonly flattened: readonly (readonly number[])[];
  readonly #next: () => number;

  constructor(ruleCount: number, seed = 1) {
    this.#next = random(seed);
    this.rules = Array.from({ length: ruleCount }, (_, index) => this.#rule(index));
    const memberships = Array.from({ length: USERS }, () => [this.#below(GROUPS), this.#below(GROUPS)]);
    this.subjects = memberships.map((groups, user) => ({
      kind: 'user',
      id: `https://idp.example#${user}`,
      groups: groups.map((group) => `idp:g${group}`),
      roles: [],
    }));
    this.flattened = memberships.map((groups) => [...new Set(groups.flatMap(ancestors))]);
  }

  /** The policy document in Sallyport's language. */
  document(): string {
    const groups = Array.from({ length: GROUPS }, (_, group) => {
      const nested = [2 * group + 1, 2 * group + 2]
        .filter((child) => child < GROUPS)
        .map((child) => `t${child}`);
      return `  t${group}: { members: [${[`idp:g${group}`, ...nested].join(', ')}] }`;
    });
    const hours = HOURS.map(
      ({ name, days, from, to }) =>
        `  ${name}: { days: [${days.map((day) => DAY_NAMES[day]).join(', ')}], from: "${clock(from)}", to: "${clock(to)}" }`,
    );
    const networks = Object.entries(NETWORKS).map(
      ([name, [base, length]]) => `  ${name}: [${dotted(base)}/${length}]`,
    );
    return [
      'version: 1',
      'zone: Europe/Berlin',
      'groups:',
      ...groups,
      'networks:',
      ...networks,
      'devices: { hardened: { attested: true, secureBoot: true } }',
      'hours:',
      ...hours,
      'apps:',
      ...Array.from({ length: APPS }, (_, app) => `  - app${app}`),
      'rules:',
      ...this.rules.map(ruleText),
    ].join('\n');
  }

  /** Requests that satisfy a random rule of the workload, then mostly miss it in at most one respect. */
  seeds(count: number): RequestSeed[] {
    return Array.from({ length: count }, () => this.#seed());
  }

  #below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  #rule(index: number): WorkloadRule {
    const deny = index % 10 === 9;
    const chance = (share: number): boolean => this.#next() < share;
    const base = {
      id: `r${index}`,
      app: `app${index % APPS}`,
      methods: chance(0.5) ? METHODS.slice(0, 1 + this.#below(METHODS.length)) : [],
      ...(chance(0.4) ? { prefix: `/api/v${this.#below(4)}` } : {}),
    };
    if (deny) {
      const groups = chance(0.5) ? [this.#below(GROUPS)] : [];
      const countries = groups.length === 0 ? [this.#pick(['KP', 'IR'])] : [];
      return { ...base, effect: 'deny', groups, hardened: false, countries };
    }
    return {
      ...base,
      effect: 'allow',
      groups: [this.#below(GROUPS), this.#below(GROUPS)],
      ...(chance(0.5) ? { hours: this.#pick(HOURS) } : {}),
      hardened: chance(0.7),
      ...(chance(0.7) ? { mfa: this.#pick([1, 8, 12]) * HOUR } : {}),
      ...(chance(0.15) ? { network: this.#pick(['office', 'vpn', 'lab'] as const) } : {}),
      ...(chance(0.3) ? { riskBelow: this.#pick([20, 40, 60]) } : {}),
      countries: [],
    };
  }

  #seed(): RequestSeed {
    const rule = this.#pick(this.rules.filter(({ effect }) => effect === 'allow'));
    const members = this.#members(rule);
    const miss = this.#below(10);
    // Some Wednesday at 14:00 Berlin time, or six hours and three days away from it.
    const at =
      Date.UTC(2026, 2, 4, 13) +
      (miss === 0 ? 6 * HOUR : 0) +
      (miss === 1 ? 72 * HOUR : 0) +
      this.#below(3600) * 1000;
    const mfaAge = miss === 2 ? 13 * HOUR : this.#below(50) * 60_000;
    const [base] = NETWORKS[rule.network ?? 'office'];
    return {
      user: miss === 3 ? this.#below(USERS) : this.#pick(members),
      app: rule.app,
      method: this.#pick(rule.methods.length === 0 || miss === 4 ? METHODS : rule.methods),
      path: `${rule.prefix ?? `/api/v${this.#below(4)}`}/items/${this.#below(1000)}`,
      at,
      mfaAt: at - mfaAge,
      hardened: miss !== 5,
      address: dotted(base + 1 + this.#below(200)),
      country: miss === 6 ? this.#pick(COUNTRIES) : 'DE',
      risk: miss === 7 ? 70 : this.#below(20),
    };
  }

  readonly #membersOf: Map<string, number[]> = new Map();

  #members(rule: WorkloadRule): readonly number[] {
    let members = this.#membersOf.get(rule.id);
    if (members === undefined) {
      members = this.flattened.flatMap((groups, user) =>
        rule.groups.some((group) => groups.includes(group)) ? [user] : [],
      );
      if (members.length === 0) members = [0];
      this.#membersOf.set(rule.id, members);
    }
    return members;
  }
}

/** The request of one seed, built as the gateway builds it: a new object for each. */
export function buildRequest(seed: RequestSeed, subject: Subject): AccessRequest {
  return {
    version: 1,
    at: seed.at,
    subject,
    login: { provider: 'idp', at: seed.mfaAt, mfaAt: seed.mfaAt, amr: ['pwd', 'hwk'], acr: 'phr' },
    device: { id: 'device', attested: seed.hardened, secureBoot: true, quotedAt: seed.at - 60_000 },
    target: { app: seed.app, protocol: 'http', method: seed.method, path: seed.path },
    network: { address: seed.address, country: seed.country, asn: 64_500, feeds: [] },
    risk: seed.risk,
  };
}

/** Minutes since Monday 00:00 in Berlin in winter, which is when the workload happens. */
export function berlinMinute(at: number): number {
  return (Math.floor(at / 60_000) + 60 + 3 * 1440) % 10_080;
}

/** The minutes of the week that hours cover, as half-open intervals. */
export function intervalsOf({ days, from, to }: WorkloadHours): [number, number][] {
  return days.flatMap((day): [number, number][] => {
    const start = day * 1440 + from;
    const end = day * 1440 + (to > from ? to : to + 1440);
    return end <= 10_080
      ? [[start, end]]
      : [
          [start, 10_080],
          [0, end - 10_080],
        ];
  });
}

export function rangeOf(network: NetworkName): [number, number] {
  const [base, length] = NETWORKS[network];
  return [base, base + 2 ** (32 - length) - 1];
}

export function addressNumber(text: string): number {
  return text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function ancestors(group: number): number[] {
  const found = [group];
  for (let current = group; current > 0; ) {
    current = Math.floor((current - 1) / 2);
    found.push(current);
  }
  return found;
}

function ruleText(rule: WorkloadRule): string {
  const when: string[] = [];
  if (rule.hours !== undefined) when.push(`hours: ${rule.hours.name}`);
  if (rule.hardened) when.push('device: hardened');
  if (rule.mfa !== undefined) when.push(`mfa: ${rule.mfa / HOUR}h`);
  if (rule.network !== undefined) when.push(`network: ${rule.network}`);
  if (rule.riskBelow !== undefined) when.push(`risk: ${rule.riskBelow}`);
  if (rule.countries.length > 0) when.push(`country: [${rule.countries.join(', ')}]`);
  const keys = [`id: ${rule.id}`, `${rule.effect}: ${rule.app}`];
  if (rule.groups.length > 0) keys.push(`who: [${rule.groups.map((group) => `t${group}`).join(', ')}]`);
  if (rule.methods.length > 0) keys.push(`methods: [${rule.methods.join(', ')}]`);
  if (rule.prefix !== undefined) keys.push(`paths: ["${rule.prefix}/**"]`);
  if (when.length > 0) keys.push(`when: { ${when.join(', ')} }`);
  const [first = '', ...rest] = keys;
  return [`  - ${first}`, ...rest.map((key) => `    ${key}`)].join('\n');
}

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
}

function dotted(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}
