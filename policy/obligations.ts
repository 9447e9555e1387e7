// What an allow may still ask of the request: whose order is the least burdensome, and what is not yet fulfilled.
// An obligation that is not fulfilled is a deny.
import { isPhishingResistant } from './criteria/phishing.ts';
import type { Obligations, Reason } from './decision.ts';
import { age } from './facts.ts';
import type { AccessRequest } from './input.ts';
import type { ObligationsDocument } from './language/document.ts';

/** HTTP methods that change nothing (RFC 9110 section 9.2.1, without TRACE). */
export const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Why an allow does not let a request through after all. */
export type Lack = Extract<
  Reason,
  'step-up-required' | 'session-too-old' | 'read-only' | 'obligation-unsupported'
>;
export const LACKS: readonly Lack[] = [
  'step-up-required',
  'session-too-old',
  'read-only',
  'obligation-unsupported',
];

/** The obligations a rule writes, or undefined when it writes none. */
export function obligationsOf(rule: ObligationsDocument): Obligations | undefined {
  const { stepUp, readOnly, redact, rate, record, maxSession } = rule;
  const written = { stepUp: stepUp && defined(stepUp), readOnly, redact, rate, record, maxSession };
  const obligations = defined(written) as Obligations;
  return Object.keys(obligations).length === 0 ? undefined : obligations;
}

/** How much a rule asks; a higher number asks more. */
export interface Burden {
  /** What it costs to be counted: a rate is used up, whatever else is fulfilled. */
  readonly rate: number;
  /** What has to be done or left, from what weighs most to what weighs least. */
  readonly asking: readonly number[];
}

export function burdenOf(obligations: Obligations | undefined): Burden {
  const { readOnly, stepUp, redact, maxSession, rate, record } = obligations ?? {};
  return {
    rate: rate === undefined ? 0 : rate.per / rate.requests,
    asking: [
      redact === undefined ? 0 : 1,
      readOnly === true ? 1 : 0,
      stepUp?.phishingResistant === true ? 1 : 0,
      stepUp?.mfa === undefined ? 0 : 1 / stepUp.mfa,
      maxSession === undefined ? 0 : 1 / maxSession,
      record === true ? 1 : 0,
    ],
  };
}

/**
 * Orders allow rules so that the one asking least comes first: where several rules allow a request, each is a
 * grant of its own, and adding a rule must never take away what another one gives.
 */
export function compareBurden(a: Burden, b: Burden): number {
  return a.rate - b.rate || compareAsking(a, b);
}

/** Orders rules of which the request lacks something. */
export function compareAsking({ asking }: Burden, other: Burden): number {
  for (let index = 0; index < asking.length; index += 1) {
    const [ours, theirs] = [asking[index] ?? 0, other.asking[index] ?? 0];
    // Never by their difference alone: that of two infinities is no number.
    if (ours !== theirs) return ours < theirs ? -1 : 1;
  }
  return 0;
}

/** Whether every request that lacks nothing of what `b` asks lacks nothing of what `a` asks. */
export function isFulfilledWith(a: Obligations | undefined, b: Obligations | undefined): boolean {
  const [one, other] = [a?.stepUp, b?.stepUp];
  return (
    (a?.readOnly !== true || b?.readOnly === true) &&
    (one?.phishingResistant !== true || other?.phishingResistant === true) &&
    isWithin(one?.mfa, other?.mfa) &&
    isWithin(a?.maxSession, b?.maxSession)
  );
}

/** Whether whoever is not older than `theirs` is not older than `limit`; milliseconds, and none where left out. */
function isWithin(limit: number | undefined, theirs: number | undefined): boolean {
  return limit === undefined || (theirs !== undefined && theirs <= limit);
}

/**
 * What an allowed request still lacks before it may pass: a fresher or stronger login, a login that is not too old, or that it
 * only reads. Rates and recordings are kept while the request is carried. Nothing carries out `redact` yet.
 */
export function unfulfilled(
  obligations: Obligations | undefined,
  { at, login, target }: AccessRequest,
): Lack | undefined {
  if (obligations === undefined) return undefined;
  const { stepUp, readOnly, redact, maxSession } = obligations;
  if (redact !== undefined) return 'obligation-unsupported';
  if (readOnly === true && !(target.method !== undefined && READING.has(target.method))) return 'read-only';
  if (stepUp?.mfa !== undefined && !(age(at, login?.mfaAt) <= stepUp.mfa)) return 'step-up-required';
  if (stepUp?.phishingResistant === true && !(login !== undefined && isPhishingResistant(login)))
    return 'step-up-required';
  if (maxSession !== undefined && !(age(at, login?.at) <= maxSession)) return 'session-too-old';
  return undefined;
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>;
}
