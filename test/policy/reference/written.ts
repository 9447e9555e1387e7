// A policy document as an author writes it, before any of the product's code has seen it. The reference evaluator
// reads this form, so that it shares no parsing with the evaluator it checks.

type Many<T> = T | readonly T[];

export interface WrittenDevice {
  readonly attested?: boolean;
  readonly secureBoot?: boolean;
  readonly baseline?: boolean;
  readonly sameBoot?: boolean;
  readonly hardwareKey?: boolean;
  readonly firmware?: string;
  readonly quotedWithin?: string;
}

export type Severity = 'none' | 'low' | 'medium' | 'high' | 'critical';

export interface WrittenWorkload {
  readonly signedBy?: Many<string>;
  readonly provenance?: Many<string>;
  readonly worstCve?: Severity | { readonly atMost?: Severity; readonly atLeast?: Severity };
  readonly scannedWithin?: string;
}

export interface WrittenCondition {
  readonly hours?: Many<string>;
  readonly device?: string | WrittenDevice;
  readonly mfa?: string;
  readonly phishingResistant?: true;
  readonly amr?: Many<string>;
  readonly acr?: Many<string>;
  readonly provider?: Many<string>;
  readonly network?: Many<string>;
  readonly country?: Many<string>;
  readonly asn?: Many<number>;
  readonly feed?: 'none' | 'any' | readonly string[];
  readonly risk?: number | { readonly below?: number; readonly atLeast?: number };
  readonly key?: 'tpm' | 'file';
  readonly ticket?: 'open' | 'none';
  readonly approved?: boolean;
  readonly workload?: string | WrittenWorkload;
  readonly connector?: string | WrittenDevice;
}

export interface WrittenRule {
  readonly id: string;
  readonly allow?: Many<string>;
  readonly deny?: Many<string>;
  readonly who?: Many<string>;
  readonly protocol?: 'http' | 'tcp';
  readonly methods?: Many<string>;
  readonly paths?: Many<string>;
  readonly from?: string;
  readonly until?: string;
  readonly when?: Many<WrittenCondition>;
  readonly unless?: Many<WrittenCondition>;
  readonly mode?: 'enforce' | 'shadow';
  readonly readOnly?: true;
  readonly redact?: string;
  readonly rate?: string;
  readonly maxSession?: string;
  readonly stepUp?: { readonly mfa?: string; readonly phishingResistant?: true };
}

export interface WrittenWindow {
  readonly days?: Many<string>;
  readonly from: string;
  readonly to: string;
  readonly zone?: string;
}

export interface WrittenPolicy {
  readonly version: 1;
  readonly zone?: string;
  readonly groups?: Readonly<Record<string, { readonly members: readonly string[] }>>;
  readonly networks?: Readonly<Record<string, readonly string[]>>;
  readonly devices?: Readonly<Record<string, WrittenDevice>>;
  readonly hours?: Readonly<Record<string, Many<WrittenWindow>>>;
  readonly workloads?: Readonly<Record<string, WrittenWorkload>>;
  readonly apps: readonly string[];
  readonly rules: readonly WrittenRule[];
}

export function many<T>(value: Many<T> | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value as T];
}
