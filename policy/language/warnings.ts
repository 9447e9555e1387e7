// What is probably not meant in a document that is otherwise right. Never a reason to refuse it.

import { listOf, type PolicyDocument, type RuleDocument } from './document.ts';
import type { Report } from './names.ts';

export function warnAbout(document: PolicyDocument, report: Report): void {
  warnUnused(document, report);
  for (const [index, rule] of document.rules.entries()) {
    warnFreshness(rule, index, report);
    warnUnsupplied(rule, index, report);
  }
}

/** Criteria about facts that no part of this version supplies. */
const UNSUPPLIED = ['asn', 'feed', 'risk', 'ticket', 'approved', 'workload'] as const;

function warnUnsupplied(rule: RuleDocument, index: number, report: Report): void {
  for (const key of ['when', 'unless'] as const) {
    const written = rule[key];
    for (const [position, condition] of listOf(written).entries()) {
      for (const name of UNSUPPLIED.filter((one) => condition[one] !== undefined)) {
        const effect =
          key === 'unless'
            ? 'lifts nothing'
            : rule.deny === undefined
              ? 'allows nobody'
              : 'denies as if it held';
        report(
          ['rules', index, key, ...(Array.isArray(written) ? [position] : [])],
          `no gateway finds out \`${name}\` yet, so it is unknown of every request, and this ${effect}`,
          { key: !Array.isArray(written) },
        );
      }
    }
  }
  if (rule.redact !== undefined) {
    report(['rules', index, 'redact'], 'no gateway masks answers yet, so this rule allows nobody', {
      key: true,
    });
  }
}

/** Under `when`, a deny rule denies what passes: "deny logins younger than 8h" is hardly ever meant. */
function warnFreshness(rule: RuleDocument, index: number, report: Report): void {
  if (rule.deny === undefined) return;
  for (const { mfa, phishingResistant } of listOf(rule.when)) {
    const key = mfa !== undefined ? 'mfa' : phishingResistant === undefined ? undefined : 'phishingResistant';
    if (key !== undefined) {
      report(
        ['rules', index, 'when'],
        `the rule \`${rule.id}\` denies logins that pass \`${key}\`; did you mean \`unless\`?`,
        { key: true },
      );
    }
  }
}

function warnUnused(document: PolicyDocument, report: Report): void {
  const conditions = document.rules.flatMap(({ when, unless }) => [...listOf(when), ...listOf(unless)]);
  const members = Object.values(document.groups ?? {}).flatMap((group) => group.members);
  const selectors = [...document.rules.flatMap(({ who }) => listOf(who)), ...members];
  const tests = document.tests ?? [];
  const used = {
    groups: new Set(selectors.map((selector) => selector.replace(/^group:/, ''))),
    networks: new Set([
      ...conditions.flatMap(({ network }) => listOf(network)),
      ...tests.map(({ network }) => network),
    ]),
    devices: new Set([...conditions, ...tests].flatMap(({ device, connector }) => [device, connector])),
    hours: new Set(conditions.flatMap(({ hours }) => listOf(hours))),
    workloads: new Set([...conditions, ...tests].map(({ workload }) => workload)),
  };
  for (const [section, names] of Object.entries(used)) {
    for (const name of Object.keys(document[section as keyof typeof used] ?? {})) {
      if (!(names as ReadonlySet<unknown>).has(name)) {
        report([section, name], `nothing uses \`${name}\` of \`${section}\``, { key: true });
      }
    }
  }
  const opened = new Set(document.rules.flatMap(({ allow }) => listOf(allow)));
  for (const [index, app] of document.apps.entries()) {
    if (!opened.has(app) && !opened.has('*')) {
      report(['apps', index], `no rule allows anything for \`${app}\`: nobody can reach it`);
    }
  }
}
