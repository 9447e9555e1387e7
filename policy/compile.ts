// Compiles a validated document into rules indexed by app. It can be fed rule by rule, so that a large document
// is compiled in slices; it must only be given documents in which check.ts found nothing wrong.
import type { Claims } from './criteria/claims.ts';
import type { Wants } from './criteria/criteria.ts';
import { SEVERITIES } from './criteria/cve.ts';
import type { Hours } from './criteria/hours.ts';
import type { Interval } from './criteria/intervals.ts';
import type { Bit } from './criteria/who.ts';
import type { AppRules } from './evaluate.ts';
import { POSTURE } from './facts.ts';
import {
  type ConditionDocument,
  type Definitions,
  type DeviceDocument,
  listOf,
  type RuleDocument,
  type WorkloadDocument,
} from './language/document.ts';
import { PathPattern } from './net/path.ts';
import { RangeSet } from './net/ranges.ts';
import { compareBurden, obligationsOf } from './obligations.ts';
import { Box, Rule } from './rule.ts';
import { Directory } from './subject/directory.ts';
import { daysOf, minutesOf, WeekMap } from './time/window.ts';
import { ZoneClock } from './time/zone.ts';

/** Rules by app, and the directory their subjects are prepared with. */
export interface Compiled {
  readonly apps: readonly string[];
  readonly directory: Directory;
  readonly rules: readonly Rule[];
  readonly byApp: ReadonlyMap<string, AppRules>;
}

export class Compiler {
  readonly #definitions: Definitions;
  readonly #apps: readonly string[];
  readonly #directory: Directory;
  readonly #rules: Rule[] = [];
  readonly #byApp: Map<string, { deny: Rule[]; allow: Rule[]; shadow: Rule[]; asksConnector: boolean }>;
  readonly #clocks: Map<string, ZoneClock> = new Map();
  readonly #networks: Map<string, RangeSet> = new Map();
  readonly #weeks: Map<string, readonly Hours[]> = new Map();

  constructor(definitions: Definitions, apps: readonly string[]) {
    this.#definitions = definitions;
    this.#apps = apps;
    this.#directory = new Directory(definitions.groups ?? {});
    this.#byApp = new Map(
      apps.map((app) => [app, { deny: [], allow: [], shadow: [], asksConnector: false }]),
    );
  }

  add(document: RuleDocument): void {
    const effect = document.allow === undefined ? 'deny' : 'allow';
    const rule = new Rule({
      id: document.id,
      effect,
      shadow: document.mode === 'shadow',
      apps: this.#targets(document.allow ?? document.deny ?? []),
      base: this.#base(document, effect === 'deny'),
      when: listOf(document.when).map((condition) => this.#condition(condition)),
      unless: listOf(document.unless).map((condition) => this.#condition(condition)),
      because: document.because,
      obligations: obligationsOf(document),
    });
    this.#rules.push(rule);
    const asks = [...rule.boxes(), ...rule.unless].some((box) => box.connectorPosture !== null);
    for (const app of rule.apps) {
      const rules = this.#byApp.get(app);
      rules?.[rule.shadow ? 'shadow' : effect].push(rule);
      if (rules !== undefined && asks) rules.asksConnector = true;
    }
  }

  /** Brings each app's rules into the order in which they count, which never depends on the document's. */
  finish(): Compiled {
    for (const { deny, allow, shadow } of this.#byApp.values()) {
      deny.sort(byId);
      shadow.sort(byId);
      allow.sort((a, b) => compareBurden(a.burden, b.burden) || byId(a, b));
    }
    return { apps: this.#apps, directory: this.#directory, rules: this.#rules, byApp: this.#byApp };
  }

  #targets(written: string | readonly string[]): readonly string[] {
    return written === '*' ? this.#apps : [...new Set(listOf(written))];
  }

  #base(document: RuleDocument, folded: boolean): Box {
    const { who, protocol, methods, paths, from, until } = document;
    const wants: Partial<Mutable<Wants>> = {};
    if (who !== undefined) {
      const names = listOf(who);
      const [first = NOBODY, ...others] = names.map((name) => bitAt(this.#directory.bitOf(name)));
      wants.who = { names, ...first, others, directory: this.#directory };
    }
    if (methods !== undefined) wants.methods = new Set(listOf(methods));
    if (paths !== undefined) wants.paths = listOf(paths).map((text) => new PathPattern(text, folded));
    // Methods and paths exist in HTTP only.
    if (methods !== undefined || paths !== undefined) wants.protocol = 'http';
    if (protocol !== undefined) wants.protocol = protocol;
    if (from !== undefined || until !== undefined) wants.validity = interval(from, until);
    return new Box(wants);
  }

  #condition(written: ConditionDocument): Box {
    const wants: Partial<Mutable<Wants>> = {};
    const { devices = {}, workloads = {} } = this.#definitions;
    const device = typeof written.device === 'string' ? devices[written.device] : written.device;
    const workload = typeof written.workload === 'string' ? workloads[written.workload] : written.workload;
    if (device !== undefined) wantDevice(wants, device);
    if (workload !== undefined) wantWorkload(wants, workload);
    const connector = typeof written.connector === 'string' ? devices[written.connector] : written.connector;
    if (connector !== undefined) {
      const { firmware, quotedWithin: quote } = connector;
      wants.connectorPosture = { ...claimsOf(connector), firmware, quote };
    }
    if (written.hours !== undefined) wants.hours = this.#hours(listOf(written.hours));
    if (written.mfa !== undefined) wants.mfa = written.mfa;
    if (written.phishingResistant !== undefined) wants.phishing = true;
    if (written.amr !== undefined) wants.amr = new Set(listOf(written.amr));
    if (written.acr !== undefined) wants.acr = new Set(listOf(written.acr));
    if (written.provider !== undefined) wants.provider = new Set(listOf(written.provider));
    if (written.network !== undefined) wants.network = this.#network(listOf(written.network));
    if (written.country !== undefined) wants.country = new Set(listOf(written.country));
    if (written.asn !== undefined) wants.asn = new Set(listOf(written.asn));
    if (written.feed !== undefined)
      wants.feed = typeof written.feed === 'string' ? written.feed : new Set(written.feed);
    if (written.risk !== undefined) {
      const risk = typeof written.risk === 'number' ? { below: written.risk } : written.risk;
      wants.risk = interval(risk.atLeast, risk.below);
    }
    if (written.key !== undefined) wants.key = written.key;
    if (written.ticket !== undefined) wants.ticket = new Set([written.ticket]);
    if (written.approved !== undefined) wants.approval = written.approved;
    return new Box(wants);
  }

  #network(names: readonly string[]): Wants['network'] {
    const { networks = {} } = this.#definitions;
    const key = names.join(' ');
    let ranges = this.#networks.get(key);
    if (ranges === undefined) {
      ranges = new RangeSet(names.flatMap((name) => networks[name] ?? []));
      this.#networks.set(key, ranges);
    }
    return { names, ranges };
  }

  #hours(names: readonly string[]): readonly Hours[] {
    const key = names.join(' ');
    const hours = this.#weeks.get(key) ?? this.#weeksOf(names);
    this.#weeks.set(key, hours);
    return hours;
  }

  /** One week map for each zone that the named hours use. */
  #weeksOf(names: readonly string[]): readonly Hours[] {
    const byZone = new Map<string, { names: string[]; week: WeekMap }>();
    for (const name of names) {
      for (const { days, from, to, zone } of listOf(this.#definitions.hours?.[name])) {
        const where = zone ?? this.#definitions.zone ?? 'UTC';
        const entry = byZone.get(where) ?? { names: [], week: new WeekMap() };
        entry.week.add(listOf(days ?? 'mon-sun').flatMap(daysOf), minutesOf(from), minutesOf(to));
        if (!entry.names.includes(name)) entry.names.push(name);
        byZone.set(where, entry);
      }
    }
    return [...byZone].map(([zone, entry]) => ({ ...entry, clock: this.#clock(zone) }));
  }

  #clock(zone: string): ZoneClock {
    const clock = this.#clocks.get(zone) ?? new ZoneClock(zone);
    this.#clocks.set(zone, clock);
    return clock;
  }
}

/** A bit that no subject has. */
const NOBODY: Bit = { word: 0, mask: 0 };

function bitAt(bit: number): Bit {
  return { word: bit >>> 5, mask: 1 << (bit & 31) };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function wantDevice(wants: Partial<Mutable<Wants>>, device: DeviceDocument): void {
  const claims = claimsOf(device);
  if ((claims.yes | claims.no) !== 0) wants.posture = claims;
  if (device.firmware !== undefined) wants.firmware = device.firmware;
  if (device.quotedWithin !== undefined) wants.quote = device.quotedWithin;
}

function claimsOf(machine: DeviceDocument): Claims {
  let yes = 0;
  let no = 0;
  for (const [claim, bit] of Object.entries(POSTURE)) {
    const wanted = machine[claim as keyof typeof POSTURE];
    if (wanted === true) yes |= bit;
    if (wanted === false) no |= bit;
  }
  return { yes, no };
}

function wantWorkload(wants: Partial<Mutable<Wants>>, workload: WorkloadDocument): void {
  const { signedBy, provenance, worstCve, scannedWithin } = workload;
  if (signedBy !== undefined) wants.signedBy = new Set(listOf(signedBy));
  if (provenance !== undefined) wants.provenance = new Set(listOf(provenance));
  if (scannedWithin !== undefined) wants.scan = scannedWithin;
  if (worstCve !== undefined) {
    const { atMost = 'critical', atLeast = 'none' } =
      typeof worstCve === 'string' ? { atMost: worstCve } : worstCve;
    wants.cve = { atLeast: SEVERITIES.indexOf(atLeast), below: SEVERITIES.indexOf(atMost) + 1 };
  }
}

function interval(atLeast: number | undefined, below: number | undefined): Interval {
  return { atLeast: atLeast ?? Number.NEGATIVE_INFINITY, below: below ?? Number.POSITIVE_INFINITY };
}

function byId(a: Rule, b: Rule): number {
  return a.id < b.id ? -1 : 1;
}
