// What an allow may still ask of the request: whose order is the least burdensome, and what is not yet fulfilled.
// An obligation the caller does not fulfil is a deny.
import { isPhishingResistant } from './criteria/phishing.ts';
import type { Obligations } from './decision.ts';
import { age } from './facts.ts';
import type { AccessRequest } from './input.ts';
import type { ObligationsDocument } from './language/document.ts';

/** HTTP methods that change nothing (RFC 9110 section 9.2.1, without TRACE). */
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The obligations a rule writes, or undefined when it writes none. */
export function obligationsOf(rule: ObligationsDocument): Obligations | undefined {
  const { stepUp, readOnly, redact, rate, record, maxSession } = rule;
  const written = { stepUp: stepUp && defined(stepUp), readOnly, redact, rate, record, maxSession };
  const obligations = defined(written) as Obligations;
  return Object.keys(obligations).length === 0 ? undefined : obligations;
}

/**
 * Orders allow rules so that the one asking least comes first: where several rules allow a request, each is a
 * grant of its own, and adding a rule must never take away what another one gives.
 */
export function compareBurden(a: Obligations | undefined, b: Obligations | undefined): number {
  if (a === b) return 0;
  const [left, right] = [burden(a), burden(b)];
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
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
 * What an allowed request still lacks before it may pass: `step-up` to a fresher or stronger login, a login that is not too
 * old, or that it writes where only reading is allowed. The other obligations are kept while the request is carried.
 */
export function unfulfilled(
  obligations: Obligations | undefined,
  { at, login, target }: AccessRequest,
): 'step-up' | 'read-only' | 'session-too-old' | undefined {
  if (obligations === undefined) return undefined;
  const { stepUp, readOnly, maxSession } = obligations;
  if (readOnly === true && !(target.method !== undefined && READING.has(target.method))) return 'read-only';
  if (stepUp?.mfa !== undefined && !(age(at, login?.mfaAt) <= stepUp.mfa)) return 'step-up';
  if (stepUp?.phishingResistant === true && !(login !== undefined && isPhishingResistant(login)))
    return 'step-up';
  if (maxSession !== undefined && !(age(at, login?.at) <= maxSession)) return 'session-too-old';
  return undefined;
}

/** From what weighs most to what weighs least; a higher number asks more. */
function burden(obligations: Obligations | undefined): readonly number[] {
  const { readOnly, stepUp, redact, maxSession, rate, record } = obligations ?? {};
  return [
    readOnly === true ? 1 : 0,
    stepUp?.phishingResistant === true ? 1 : 0,
    stepUp?.mfa === undefined ? 0 : 1 / stepUp.mfa,
    redact === undefined ? 0 : 1,
    maxSession === undefined ? 0 : 1 / maxSession,
    rate === undefined ? 0 : rate.per / rate.requests,
    record === true ? 1 : 0,
  ];
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>;
}
