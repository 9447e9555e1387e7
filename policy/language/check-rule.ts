// One rule's names and contradictions: what would make it never match, or mean something else than it says.

import { SEVERITIES } from '../criteria/cve.ts';
import type { Path } from '../document.ts';
import {
  type ConditionDocument,
  type DeviceDocument,
  listOf,
  type RuleDocument,
  type WorkloadDocument,
} from './document.ts';
import { checkName, checkSelector, type Names, type Report } from './names.ts';

const OBLIGATIONS = ['stepUp', 'readOnly', 'redact', 'rate', 'record', 'maxSession'] as const;

export function checkRule(rule: RuleDocument, path: Path, names: Names, report: Report): void {
  checkEffect(rule, path, report);
  checkTarget(rule, path, names, report);
  for (const [selector, at] of items(rule.who, [...path, 'who'])) checkSelector(selector, names, at, report);
  if (rule.from !== undefined && rule.until !== undefined && rule.until <= rule.from) {
    report([...path, 'until'], 'the rule ends before it starts, so it can never match');
  }
  if (rule.stepUp !== undefined && Object.values(rule.stepUp).every((value) => value === undefined)) {
    report([...path, 'stepUp'], '`stepUp` asks nothing; give it `mfa` or `phishingResistant`');
  }
  for (const key of ['when', 'unless'] as const) {
    for (const [condition, at] of items(rule[key], [...path, key])) {
      checkCondition(condition, key, at, names, report);
    }
  }
}

function checkEffect(rule: RuleDocument, path: Path, report: Report): void {
  const { allow, deny, who, unless } = rule;
  if (allow !== undefined && deny !== undefined) {
    report([...path, 'deny'], 'a rule either allows or denies; make two rules of it', { key: true });
  } else if (allow === undefined && deny === undefined) {
    report(path, `the rule \`${rule.id}\` needs \`allow\` or \`deny\` with the apps it is about`);
  }
  if (allow !== undefined && who === undefined) {
    report(
      path,
      `the rule \`${rule.id}\` needs \`who\`; write \`who: everyone\` for every person who signed in`,
    );
  }
  if (allow !== undefined && unless !== undefined) {
    report(
      [...path, 'unless'],
      '`unless` lifts a deny; in an allow rule, write what must hold under `when`',
      { key: true },
    );
  }
  if (deny === undefined) return;
  for (const key of OBLIGATIONS) {
    if (rule[key] !== undefined) {
      report([...path, key], `\`${key}\` asks something of allowed requests; a deny rule allows none`, {
        key: true,
      });
    }
  }
}

function checkTarget(rule: RuleDocument, path: Path, names: Names, report: Report): void {
  for (const key of ['allow', 'deny'] as const) {
    for (const [app, at] of items(rule[key], [...path, key])) {
      if (app !== '*') checkName(app, names.apps, 'app', at, report);
    }
  }
  if (rule.protocol !== 'tcp') return;
  for (const key of ['methods', 'paths', 'readOnly', 'redact'] as const) {
    if (rule[key] !== undefined)
      report([...path, key], `\`${key}\` exists in HTTP only; this rule is for tcp`, { key: true });
  }
}

function checkCondition(
  condition: ConditionDocument,
  key: 'when' | 'unless',
  path: Path,
  names: Names,
  report: Report,
): void {
  if (isEmpty(condition)) {
    const effect = key === 'when' ? 'asks nothing' : 'lifts the rule always';
    report(path, `an empty \`${key}\` ${effect}; leave it out or give it a criterion`);
  }
  for (const [name, at] of items(condition.hours, [...path, 'hours'])) {
    checkName(name, names.hours, 'hours', at, report);
  }
  for (const [name, at] of items(condition.network, [...path, 'network'])) {
    checkName(name, names.networks, 'network', at, report);
  }
  if (typeof condition.device === 'string') {
    checkName(condition.device, names.devices, 'device', [...path, 'device'], report);
  } else if (condition.device !== undefined) {
    checkDevice(condition.device, [...path, 'device'], report);
  }
  if (typeof condition.connector === 'string') {
    checkName(condition.connector, names.devices, 'device', [...path, 'connector'], report);
  } else if (condition.connector !== undefined) {
    checkDevice(condition.connector, [...path, 'connector'], report);
  }
  if (typeof condition.workload === 'string') {
    checkName(condition.workload, names.workloads, 'workload', [...path, 'workload'], report);
  } else if (condition.workload !== undefined) {
    checkWorkload(condition.workload, [...path, 'workload'], report);
  }
  checkRisk(condition.risk, [...path, 'risk'], report);
}

/** A device as `devices` defines it or a rule spells it out. */
export function checkDevice(device: DeviceDocument, path: Path, report: Report): void {
  if (!isEmpty(device)) return;
  const key = path.at(-1) === 'connector' ? 'connector' : 'device';
  report(path, `an empty \`${key}\` asks nothing; give it \`attested\` or another claim`);
}

/** A workload as `workloads` defines it or a rule spells it out. */
export function checkWorkload(workload: WorkloadDocument, path: Path, report: Report): void {
  if (isEmpty(workload)) report(path, 'an empty `workload` asks nothing; give it `signedBy` or another fact');
  const { worstCve } = workload;
  if (typeof worstCve !== 'object') return;
  const { atLeast, atMost } = worstCve;
  if (atLeast === undefined && atMost === undefined)
    report([...path, 'worstCve'], 'give `worstCve` an `atMost` or `atLeast`');
  if (
    atLeast !== undefined &&
    atMost !== undefined &&
    SEVERITIES.indexOf(atLeast) > SEVERITIES.indexOf(atMost)
  ) {
    report([...path, 'worstCve'], 'no vulnerability is both that bad and that harmless');
  }
}

function checkRisk(risk: ConditionDocument['risk'], path: Path, report: Report): void {
  if (risk === 0 || (typeof risk === 'object' && risk.below === 0)) report(path, 'no risk score is below 0');
  if (typeof risk !== 'object') return;
  const { atLeast, below } = risk;
  if (atLeast === undefined && below === undefined) report(path, 'give `risk` a `below` or `atLeast`');
  if (atLeast !== undefined && below !== undefined && atLeast >= below)
    report(path, 'no risk score is in this range');
}

function isEmpty(value: object): boolean {
  return Object.values(value).every((one) => one === undefined);
}

/** The values of a key that takes one or several, each with its own path. */
function items<T>(value: T | readonly T[] | undefined, path: Path): [T, Path][] {
  return listOf(value).map((item, index) => [item, Array.isArray(value) ? [...path, index] : path]);
}
