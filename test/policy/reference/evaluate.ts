// A second evaluator, slow and plain: reads the document as written, for each decision anew, and knows nothing of
// the product's compiler. Where the two disagree, one of them is wrong.
import type { AccessRequest, Login, Posture } from '#policy/input';
import {
  happenedWithin,
  inNetworks,
  inWindow,
  isAtLeast,
  isTime,
  type Known,
  milliseconds,
  pathMatches,
} from './facts.ts';
import {
  many,
  type Severity,
  type WrittenCondition,
  type WrittenDevice,
  type WrittenPolicy,
  type WrittenRule,
  type WrittenWorkload,
} from './written.ts';

export interface ReferenceDecision {
  readonly verdict: 'allow' | 'deny';
  readonly reason: string;
  readonly rule: string | undefined;
  readonly shadow: readonly { readonly rule: string; readonly would: 'allow' | 'deny' }[];
}

export function decideByReference(policy: WrittenPolicy, request: AccessRequest): ReferenceDecision {
  const { app } = request.target;
  const none = { rule: undefined, shadow: [] };
  if (!policy.apps.includes(app)) return { verdict: 'deny', reason: 'no-rule-for-app', ...none };
  const about = policy.rules
    .filter((rule) => many(rule.allow ?? rule.deny).some((target) => target === '*' || target === app))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const matching = about.filter((rule) => ruleMatches(rule, policy, request));
  const enforced = matching.filter(({ mode }) => mode !== 'shadow');
  const deny = enforced.find((rule) => rule.deny !== undefined);
  const allows = enforced.filter((rule) => rule.allow !== undefined);
  const passing = allows.filter((rule) => lackOf(rule, request) === undefined);
  const allow = leastBurdensome(passing, ['rate', 'asking']) ?? leastBurdensome(allows, ['asking', 'rate']);
  const lack = allow && lackOf(allow, request);
  const shadow = matching
    .filter(({ mode }) => mode === 'shadow')
    .map((rule) => ({
      rule: rule.id,
      would:
        rule.deny !== undefined || deny !== undefined || (passing.length === 0 && lackOf(rule, request))
          ? ('deny' as const)
          : ('allow' as const),
    }));
  if (deny !== undefined) return { verdict: 'deny', reason: 'denied-by-rule', rule: deny.id, shadow };
  if (allow !== undefined && lack !== undefined)
    return { verdict: 'deny', reason: lack, rule: allow.id, shadow };
  if (allow !== undefined) return { verdict: 'allow', reason: 'allowed', rule: allow.id, shadow };
  const open = about.some((rule) => rule.allow !== undefined && rule.mode !== 'shadow');
  return { verdict: 'deny', reason: open ? 'no-rule-matched' : 'no-rule-for-app', rule: undefined, shadow };
}

type Weighed = 'rate' | 'asking';

function leastBurdensome(rules: readonly WrittenRule[], order: readonly Weighed[]): WrittenRule | undefined {
  const longest = Number.POSITIVE_INFINITY;
  const weights: Readonly<Record<Weighed, (rule: WrittenRule) => number[]>> = {
    rate: ({ rate }) => [rate === undefined ? 0 : 1 / perSecond(rate)],
    asking: ({ redact, readOnly, stepUp, maxSession }) => [
      redact ? 1 : 0,
      readOnly ? 1 : 0,
      stepUp?.phishingResistant ? 1 : 0,
      1 / (stepUp?.mfa === undefined ? longest : milliseconds(stepUp.mfa)),
      1 / (maxSession === undefined ? longest : milliseconds(maxSession)),
    ],
  };
  const burden = (rule: WrittenRule): number[] => order.flatMap((one) => weights[one](rule));
  return rules.toSorted((a, b) => {
    const [left, right] = [burden(a), burden(b)];
    for (const [index, value] of left.entries())
      if (value !== right[index]) return value - (right[index] ?? 0);
    return a.id < b.id ? -1 : 1;
  })[0];
}

function perSecond(rate: string): number {
  const [requests = '', period = ''] = rate.split('/');
  return Number(requests) / milliseconds(period);
}

function lackOf(
  { readOnly, redact, stepUp, maxSession }: WrittenRule,
  { at, login, target }: AccessRequest,
): string | undefined {
  if (redact !== undefined) return 'obligation-unsupported';
  if (readOnly && !['GET', 'HEAD', 'OPTIONS'].includes(target.method ?? '')) return 'read-only';
  const within = (then: number | undefined, limit: string | undefined): boolean =>
    limit === undefined || (then !== undefined && at - then >= -60_000 && at - then <= milliseconds(limit));
  const strong = login?.acr === 'phr' || login?.acr === 'phrh';
  const hardware = login?.amr?.some((one) => ['hwk', 'sc', 'fido'].includes(one)) === true;
  if (!within(login?.mfaAt, stepUp?.mfa)) return 'step-up-required';
  if (stepUp?.phishingResistant && !strong && !hardware) return 'step-up-required';
  return within(login?.at, maxSession) ? undefined : 'session-too-old';
}

function ruleMatches(rule: WrittenRule, policy: WrittenPolicy, request: AccessRequest): boolean {
  const denies = rule.deny !== undefined;
  const counts = (known: Known): boolean => known ?? denies;
  if (!targetOf(rule, policy, request).every(counts)) return false;
  const holds = (condition: WrittenCondition, ifUnknown: boolean): boolean =>
    conditionOf(condition, policy, request).every((known) => known ?? ifUnknown);
  if (rule.when !== undefined && !many(rule.when).some((one) => holds(one, denies))) return false;
  return !many(rule.unless).some((one) => holds(one, false));
}

function* known(...values: (Known | 'absent')[]): Generator<Known> {
  for (const value of values) if (value !== 'absent') yield value;
}

function targetOf(rule: WrittenRule, policy: WrittenPolicy, { at, subject, target }: AccessRequest): Known[] {
  const { who, protocol, methods, paths, from, until } = rule;
  const http = protocol ?? (methods !== undefined || paths !== undefined ? 'http' : undefined);
  const { method } = target;
  const byMethod =
    method === undefined || !/^[A-Z][A-Z-]*$/.test(method) ? undefined : many(methods).includes(method);
  const start = from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from);
  const end = until === undefined ? Number.POSITIVE_INFINITY : Date.parse(until);
  return [
    ...known(
      who === undefined ? 'absent' : many(who).some((selector) => selects(selector, policy, subject, [])),
      http === undefined ? 'absent' : target.protocol === http,
      methods === undefined ? 'absent' : byMethod,
      paths === undefined ? 'absent' : pathMatches(target.path, many(paths), rule.deny !== undefined),
      from === undefined && until === undefined ? 'absent' : isTime(at) ? start <= at && at < end : undefined,
    ),
  ];
}

function selects(
  selector: string,
  policy: WrittenPolicy,
  subject: AccessRequest['subject'],
  visited: readonly string[],
): boolean {
  if (visited.includes(selector)) return false;
  const rest = selector.slice(selector.indexOf(':') + 1);
  if (selector === 'everyone') return subject.kind === 'user';
  if (selector.startsWith('user:')) {
    const email = rest.includes('@') && !rest.includes('#');
    if (subject.kind !== 'user') return false;
    return email
      ? [subject.email, subject.id].some((one) => one?.toLowerCase() === rest.toLowerCase())
      : subject.id === rest;
  }
  if (selector.startsWith('service:')) {
    if (subject.kind !== 'service') return false;
    return rest.endsWith('*') ? subject.id.startsWith(rest.slice(0, -1)) : subject.id === rest;
  }
  if (selector.startsWith('role:')) return subject.roles.includes(rest);
  if (selector.includes(':') && !selector.startsWith('group:')) return subject.groups.includes(selector);
  const group = selector.startsWith('group:') ? rest : selector;
  const members = policy.groups?.[group]?.members ?? [];
  return members.some((member) => selects(member, policy, subject, [...visited, selector, group]));
}

function conditionOf(condition: WrittenCondition, policy: WrittenPolicy, request: AccessRequest): Known[] {
  const { at, subject, login, network, risk, ticket, approved } = request;
  const device = typeof condition.device === 'string' ? policy.devices?.[condition.device] : condition.device;
  const connector =
    typeof condition.connector === 'string' ? policy.devices?.[condition.connector] : condition.connector;
  const workload =
    typeof condition.workload === 'string' ? policy.workloads?.[condition.workload] : condition.workload;
  const oneOf = <T>(wanted: T | readonly T[] | undefined, fact: T | undefined): Known | 'absent' =>
    wanted === undefined ? 'absent' : fact === undefined ? undefined : many(wanted).includes(fact);
  const score = typeof condition.risk === 'number' ? { below: condition.risk } : condition.risk;
  const usable = risk !== undefined && Number.isFinite(risk);
  return [
    ...known(
      condition.hours === undefined ? 'absent' : hoursOf(many(condition.hours), policy, at),
      condition.mfa === undefined ? 'absent' : happenedWithin(at, login?.mfaAt, condition.mfa),
      condition.phishingResistant === undefined ? 'absent' : isResistant(login),
      anyOf(condition.amr, login?.amr),
      oneOf(condition.acr, login?.acr),
      oneOf(condition.provider, login?.provider),
      condition.network === undefined
        ? 'absent'
        : inNetworks(
            network.address,
            many(condition.network).flatMap((name) => policy.networks?.[name] ?? []),
          ),
      oneOf(condition.country, network.country),
      oneOf(condition.asn, network.asn),
      condition.feed === undefined ? 'absent' : feedOf(condition.feed, network.feeds),
      score === undefined
        ? 'absent'
        : usable
          ? risk < (score.below ?? 1e9) && risk >= (score.atLeast ?? -1e9)
          : undefined,
      oneOf(condition.key, subject.key),
      oneOf(condition.ticket, ticket),
      condition.approved === undefined
        ? 'absent'
        : approved === undefined
          ? undefined
          : approved === condition.approved,
    ),
    ...(device === undefined ? [] : machineOf(device, request.device, at)),
    ...(connector === undefined ? [] : [all(machineOf(connector, request.connector, at))]),
    ...(workload === undefined ? [] : workloadOf(workload, request)),
  ];
}

/** Kleene's conjunction: one false makes it false, else one unknown makes it unknown. */
function all(values: readonly Known[]): Known {
  if (values.includes(false)) return false;
  return values.includes(undefined) ? undefined : true;
}

function anyOf(
  wanted: string | readonly string[] | undefined,
  facts: readonly string[] | undefined,
): Known | 'absent' {
  if (wanted === undefined) return 'absent';
  return facts === undefined ? undefined : many(wanted).some((value) => facts.includes(value));
}

function isResistant(login: Login | undefined): Known {
  if (login?.acr === undefined && login?.amr === undefined) return undefined;
  return /^phrh?$/.test(login.acr ?? '') || /\b(hwk|sc|fido)\b/.test(login.amr?.join(' ') ?? '');
}

function hoursOf(names: readonly string[], policy: WrittenPolicy, at: number): Known {
  if (!isTime(at)) return undefined;
  const windows = names.flatMap((name) => many(policy.hours?.[name]));
  return windows.some((window) => inWindow(at, window, policy.zone ?? 'UTC') === true);
}

function feedOf(wanted: NonNullable<WrittenCondition['feed']>, feeds: readonly string[] | undefined): Known {
  if (feeds === undefined) return undefined;
  if (wanted === 'none') return feeds.length === 0;
  return wanted === 'any' ? feeds.length > 0 : feeds.some((feed) => wanted.includes(feed));
}

function machineOf(wanted: WrittenDevice, machine: Posture | undefined, at: number): Known[] {
  const names = ['attested', 'secureBoot', 'baseline', 'sameBoot', 'hardwareKey'] as const;
  const claims = names
    .filter((claim) => wanted[claim] !== undefined)
    .map((claim) => (machine?.[claim] === undefined ? undefined : machine[claim] === wanted[claim]));
  return [
    all(claims),
    ...(wanted.firmware === undefined ? [] : [isAtLeast(machine?.firmware, wanted.firmware)]),
    ...(wanted.quotedWithin === undefined
      ? []
      : [happenedWithin(at, machine?.quotedAt, wanted.quotedWithin)]),
  ];
}

function workloadOf(wanted: WrittenWorkload, { at, workload }: AccessRequest): Known[] {
  const order: Severity[] = ['none', 'low', 'medium', 'high', 'critical'];
  const cve = typeof wanted.worstCve === 'string' ? { atMost: wanted.worstCve } : wanted.worstCve;
  const worst = workload?.worstCve;
  const level = worst === undefined ? -1 : order.indexOf(worst);
  const range =
    cve && level >= order.indexOf(cve.atLeast ?? 'none') && level <= order.indexOf(cve.atMost ?? 'critical');
  const { scannedWithin } = wanted;
  return [
    ...known(
      anyOf(wanted.signedBy, workload?.signedBy),
      anyOf(wanted.provenance, workload?.provenance),
      cve === undefined ? 'absent' : level < 0 ? undefined : range,
      scannedWithin === undefined ? 'absent' : happenedWithin(at, workload?.scannedAt, scannedWithin),
    ),
  ];
}
