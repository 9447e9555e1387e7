// The names and times in a document's own tests, and whether each gives what the rules it meets depend on.
import type { Path } from '../document.ts';
import { RESERVED_PREFIXES } from '../subject/directory.ts';
import {
  type Definitions,
  listOf,
  type PolicyDocument,
  type RequestDocument,
  type RuleDocument,
} from './document.ts';
import { checkName, type Names, type Report } from './names.ts';
import { parseInstant } from './request.ts';

/** When a described request happens if it does not say, and no rule it meets cares. */
export const SOME_INSTANT: number = Date.UTC(2026, 0, 1);

export function checkTests(
  document: PolicyDocument,
  names: Names,
  ids: ReadonlySet<string>,
  report: Report,
): void {
  const titles = new Set<string>();
  const timed = timedRules(document);
  for (const [index, test] of (document.tests ?? []).entries()) {
    const path = ['tests', index];
    if (titles.has(test.name)) report([...path, 'name'], `the test name \`${test.name}\` is used twice`);
    titles.add(test.name);
    checkRequest(test, path, { document, names, timed }, report);
    if (test.rule !== undefined) checkName(test.rule, ids, 'rule', [...path, 'rule'], report);
    if (test.remedy !== undefined && test.expect === 'allow') {
      report([...path, 'remedy'], 'an allowed request needs no remedy', { key: true });
    }
  }
}

/** What requests are described against. */
interface Described {
  readonly document: PolicyDocument;
  readonly names: Names;
  /** By app, `*` for all, a rule that depends on the time. */
  readonly timed: ReadonlyMap<string, string>;
}

/** A described request, in a test or on the command line. */
export function checkRequest(
  test: RequestDocument,
  path: Path,
  { document, names, timed }: Described,
  report: Report,
): void {
  checkName(test.app, names.apps, 'app', [...path, 'app'], report);
  if (typeof test.device === 'string')
    checkName(test.device, names.devices, 'device', [...path, 'device'], report);
  if (typeof test.connector === 'string') {
    checkName(test.connector, names.devices, 'device', [...path, 'connector'], report);
  }
  if (typeof test.workload === 'string') {
    checkName(test.workload, names.workloads, 'workload', [...path, 'workload'], report);
  }
  if (test.network !== undefined)
    checkName(test.network, names.networks, 'network', [...path, 'network'], report);
  if (test.network !== undefined && test.address !== undefined) {
    report([...path, 'address'], 'give either `network` or `address`', { key: true });
  }
  if (test.user !== undefined && test.service !== undefined) {
    report([...path, 'service'], 'a request comes from a `user` or a `service`, not both', { key: true });
  }
  for (const group of listOf(test.groups)) {
    const fault = groupFault(group, document);
    if (fault !== undefined) report([...path, 'groups'], fault);
  }
  checkInstant(test, path, document, timed, report);
}

/** Why no request has this group, or undefined if one may. */
export function groupFault(group: string, { groups = {} }: Definitions): string | undefined {
  const [prefix = '', ...name] = group.split(':');
  if (name.length > 0 && !RESERVED_PREFIXES.has(prefix)) return undefined;
  if (prefix === 'role' || prefix === 'user' || prefix === 'service')
    return `\`${group}\` is no group of a provider; give \`${name.join(':')}\` as ${prefix}`;
  const local = name.length > 0 ? name.join(':') : group;
  const { members = [] } = Object.hasOwn(groups, local) ? (groups[local] ?? {}) : {};
  const member = members.find(
    (one) => one.includes(':') && !RESERVED_PREFIXES.has(one.split(':', 1)[0] ?? ''),
  );
  const hint = member === undefined ? '`<provider>:<group>`' : `like \`${member}\``;
  return `requests carry a provider's groups, ${hint}; \`${group}\` is not one`;
}

function checkInstant(
  test: RequestDocument,
  path: Path,
  document: PolicyDocument,
  timed: Described['timed'],
  report: Report,
): void {
  if (test.at === undefined) {
    const rule = timed.get(test.app) ?? timed.get('*');
    if (rule !== undefined)
      report(path, `this request needs \`at\`: the rule \`${rule}\` depends on the time`);
    return;
  }
  try {
    parseInstant(test.at, document.zone);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^Temporal error: /, '') : String(error);
    report([...path, 'at'], `\`${test.at}\` is not one instant: ${explained(reason)}`);
  }
}

/** Temporal's own words for a gap or an overlap say little to somebody who has never met one. */
function explained(reason: string): string {
  if (/ambig|disambig|gap|fold|reject/i.test(reason)) {
    return 'the clock change skips or repeats that local time; add the offset you mean, like +02:00';
  }
  return /zone/.test(reason) || !/parse|valid/i.test(reason)
    ? reason
    : `${reason.replace(/\.$/, '')}; write it like 2026-03-04T10:00[Europe/Berlin]`;
}

/** The first of each app. */
function timedRules({ rules }: PolicyDocument): ReadonlyMap<string, string> {
  const timed = new Map<string, string>();
  for (const rule of rules.filter(dependsOnTime))
    for (const app of listOf(rule.allow ?? rule.deny)) if (!timed.has(app)) timed.set(app, rule.id);
  return timed;
}

function dependsOnTime(rule: RuleDocument): boolean {
  const conditions = [...listOf(rule.when), ...listOf(rule.unless)];
  return (
    rule.from !== undefined || rule.until !== undefined || conditions.some(({ hours }) => hours !== undefined)
  );
}
