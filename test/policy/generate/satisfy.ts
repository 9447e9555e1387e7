// Builds a request that a rule is satisfied with, as far as one can be.
import type { AccessRequest, Login, Posture, Subject } from '#policy/input';
import { milliseconds } from '../reference/facts.ts';
import {
  many,
  type WrittenCondition,
  type WrittenDevice,
  type WrittenPolicy,
  type WrittenRule,
  type WrittenWindow,
} from '../reference/written.ts';

/** A request that is still being put together. */
export type Draft = { -readonly [K in keyof AccessRequest]: AccessRequest[K] };

export function pick<T>(values: readonly T[], index: number): T {
  return values[index % values.length] as T;
}

export function satisfying(rule: WrittenRule, condition: WrittenCondition, policy: WrittenPolicy): Draft {
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

export function subjectFor(selector: string, policy: WrittenPolicy, depth = 0): Subject {
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

function claimed({ quotedWithin, ...claims }: WrittenDevice, at: number): Posture {
  return {
    ...claims,
    ...(quotedWithin === undefined ? {} : { quotedAt: at - milliseconds(quotedWithin) }),
  };
}

export function satisfy(draft: Draft, condition: WrittenCondition, policy: WrittenPolicy): void {
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
    key,
    ticket,
    approved,
  } = condition;
  if (hours !== undefined) draft.at = openingOf(pick(windowsOf(hours, policy), 0), policy, draft.at);
  const device = typeof condition.device === 'string' ? policy.devices?.[condition.device] : condition.device;
  const connector =
    typeof condition.connector === 'string' ? policy.devices?.[condition.connector] : condition.connector;
  const workload =
    typeof condition.workload === 'string' ? policy.workloads?.[condition.workload] : condition.workload;
  setLogin(draft, {
    ...(mfa === undefined ? {} : { mfaAt: draft.at - milliseconds(mfa) }),
    ...(amr === undefined ? {} : { amr: [pick(many(amr), 0)] }),
    ...(acr === undefined ? {} : { acr: pick(many(acr), 0) }),
    ...(provider === undefined ? {} : { provider: pick(many(provider), 0) }),
    ...(phishingResistant === undefined ? {} : { amr: [...many(amr), 'hwk'] }),
  });
  if (device !== undefined) draft.device = { id: 'd', ...draft.device, ...claimed(device, draft.at) };
  if (connector !== undefined)
    draft.connector = { name: 'c', ...draft.connector, ...claimed(connector, draft.at) };
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
  if (key !== undefined) draft.subject = { ...draft.subject, key };
  if (ticket !== undefined) draft.ticket = ticket;
  if (approved !== undefined) draft.approved = approved;
}

export function setLogin(draft: Draft, change: Partial<Login>): void {
  draft.login = { provider: 'idp', at: 0, ...draft.login, ...change };
}

export function windowsOf(hours: string | readonly string[], policy: WrittenPolicy): WrittenWindow[] {
  return many(hours).flatMap((name) => many(policy.hours?.[name]));
}

/** The start of a window on one of the days after `near`. */
export function openingOf(window: WrittenWindow, policy: WrittenPolicy, near: number): number {
  const zone = window.zone ?? policy.zone ?? 'UTC';
  const [day = 'mon'] = many(window.days ?? 'mon')
    .join('-')
    .split('-');
  const wanted = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].indexOf(day) + 1;
  const date = Temporal.Instant.fromEpochMilliseconds(near).toZonedDateTimeISO(zone).toPlainDate();
  const start = date.add({ days: (wanted - date.dayOfWeek + 7) % 7 });
  return start.toZonedDateTime({ timeZone: zone, plainTime: window.from }).epochMilliseconds;
}
