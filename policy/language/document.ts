// A policy document as TypeScript sees it once validated: durations and instants are milliseconds, everything
// else stands as it was written. The keys' meaning is told in docs/policy.md.

import type { Severity } from '../criteria/cve.ts';
import type { RateKey } from '../decision.ts';
import type { KeyOrigin } from '../input.ts';

/** Keys that may be left out. */
type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };
type OneOrMore<T> = T | T[];

export type DeviceClaims = Optional<{
  attested: boolean;
  secureBoot: boolean;
  baseline: boolean;
  sameBoot: boolean;
  hardwareKey: boolean;
  firmware: string;
}>;
export type DeviceDocument = DeviceClaims & Optional<{ quotedWithin: number }>;

export type WorkloadDocument = Optional<{
  signedBy: OneOrMore<string>;
  provenance: OneOrMore<string>;
  worstCve: Severity | Optional<{ atMost: Severity; atLeast: Severity }>;
  scannedWithin: number;
}>;

/** One alternative of `when` or `unless`: all of it must pass. */
export type ConditionDocument = Optional<{
  hours: OneOrMore<string>;
  device: string | DeviceDocument;
  mfa: number;
  phishingResistant: true;
  amr: OneOrMore<string>;
  acr: OneOrMore<string>;
  provider: OneOrMore<string>;
  network: OneOrMore<string>;
  country: OneOrMore<string>;
  asn: OneOrMore<number>;
  feed: 'none' | 'any' | string[];
  risk: number | Optional<{ below: number; atLeast: number }>;
  key: KeyOrigin;
  ticket: 'open' | 'none';
  approved: boolean;
  workload: string | WorkloadDocument;
  connector: string | DeviceDocument;
}>;

export type ObligationsDocument = Optional<{
  stepUp: Optional<{ mfa: number; phishingResistant: true }>;
  readOnly: true;
  redact: string;
  rate: { requests: number; per: number; by?: RateKey[] };
  record: true;
  maxSession: number;
}>;

export type RuleDocument = { readonly id: string } & ObligationsDocument &
  Optional<{
    allow: OneOrMore<string>;
    deny: OneOrMore<string>;
    who: OneOrMore<string>;
    protocol: 'http' | 'tcp';
    methods: OneOrMore<string>;
    paths: OneOrMore<string>;
    from: number;
    until: number;
    when: OneOrMore<ConditionDocument>;
    unless: OneOrMore<ConditionDocument>;
    mode: 'enforce' | 'shadow';
    because: string;
  }>;

/** Windows of the week; `days` is every day when left out, `zone` the document's. */
export type WindowDocument = { readonly from: string; readonly to: string } & Optional<{
  days: OneOrMore<string>;
  zone: string;
}>;

/** A described request. Ages are milliseconds; facts that are left out are unknown. */
export type RequestDocument = { readonly app: string } & Optional<{
  user: string;
  service: string;
  groups: OneOrMore<string>;
  roles: OneOrMore<string>;
  protocol: 'http' | 'tcp';
  method: string;
  path: string;
  at: string;
  device: string | (DeviceClaims & Optional<{ quoted: number }>);
  mfa: number;
  amr: OneOrMore<string>;
  acr: string;
  provider: string;
  network: string;
  address: string;
  country: string;
  asn: number;
  feed: 'none' | string[];
  risk: number;
  key: KeyOrigin;
  ticket: 'open' | 'none';
  approved: boolean;
  workload:
    | string
    | Optional<{
        signedBy: OneOrMore<string>;
        provenance: OneOrMore<string>;
        worstCve: Severity;
        scanned: number;
      }>;
  connector: string | (DeviceClaims & Optional<{ quoted: number }>);
}>;

export type RemedyKind =
  | 'step-up'
  | 'enrol-device'
  | 'mend-device'
  | 'mend-connector'
  | 'wait-until'
  | 'request-access'
  | 'none';

/** A request with the decision it must get. */
export type TestDocument = RequestDocument & {
  readonly name: string;
  readonly expect: 'allow' | 'deny';
} & Optional<{ rule: string; remedy: RemedyKind }>;

/** What rules refer to by name. */
export type Definitions = Optional<{
  zone: string;
  groups: Record<string, { members: string[] }>;
  networks: Record<string, string[]>;
  devices: Record<string, DeviceDocument>;
  hours: Record<string, OneOrMore<WindowDocument>>;
  workloads: Record<string, WorkloadDocument>;
}>;

export type PolicyDocument = Definitions & {
  readonly version: 1;
  readonly apps: string[];
  readonly rules: RuleDocument[];
} & Optional<{ tests: TestDocument[] }>;

/** A key that takes one value or a list of them, as a list. */
export function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
