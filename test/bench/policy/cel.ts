// The workload's rules as CEL expressions, compiled once and indexed by app as ours are, for two implementations.
import { celEnv, parse, plan } from '@bufbuild/cel';
import { Environment } from '@marcbachmann/cel-js';
import { type Engine, type Facts, factsOf, groupNames, versionOf } from './engines.ts';
import { intervalsOf, rangeOf, type Workload, type WorkloadRule } from './workload.ts';

type Expression = (facts: Facts) => boolean;

export function celJs(workload: Workload): Engine {
  const environment = new Environment()
    .registerVariable('app', 'string')
    .registerVariable('groups', 'list<string>')
    .registerVariable('method', 'string')
    .registerVariable('path', 'string')
    .registerVariable('minute', 'double')
    .registerVariable('mfaAge', 'double')
    .registerVariable('hardened', 'bool')
    .registerVariable('ip', 'double')
    .registerVariable('country', 'string')
    .registerVariable('risk', 'double');
  return engine('cel-js', '@marcbachmann/cel-js', workload, (text) => {
    const expression = environment.parse(text);
    return (facts) => expression(facts as unknown as Record<string, unknown>) === true;
  });
}

export function bufbuildCel(workload: Workload): Engine {
  const environment = celEnv();
  return engine('bufbuild-cel', '@bufbuild/cel', workload, (text) => {
    const expression = plan(environment, parse(text));
    return (facts) => expression(facts as never) === true;
  });
}

function engine(
  name: string,
  module: string,
  workload: Workload,
  compile: (text: string) => Expression,
): Engine {
  const groups = groupNames(workload);
  const byApp = new Map<string, { deny: Expression[]; allow: Expression[] }>();
  for (const rule of workload.rules) {
    const rules = byApp.get(rule.app) ?? { deny: [], allow: [] };
    rules[rule.effect].push(compile(expressionOf(rule)));
    byApp.set(rule.app, rules);
  }
  return {
    name,
    version: versionOf(module),
    decide(seed) {
      const rules = byApp.get(seed.app);
      if (rules === undefined) return 'deny';
      const facts = factsOf(seed, groups[seed.user] ?? []);
      for (const deny of rules.deny) if (deny(facts)) return 'deny';
      for (const allow of rules.allow) if (allow(facts)) return 'allow';
      return 'deny';
    },
  };
}

/** Cheapest conditions first. Numbers are doubles in JavaScript, so the literals are too. */
function expressionOf(rule: WorkloadRule): string {
  const any = (parts: readonly string[]): string => `(${parts.join(' || ')})`;
  const list = (values: readonly string[]): string =>
    `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  const parts: string[] = [];
  if (rule.hardened) parts.push('hardened');
  if (rule.groups.length > 0) parts.push(any(rule.groups.map((group) => `"t${group}" in groups`)));
  if (rule.methods.length > 0) parts.push(`method in ${list(rule.methods)}`);
  if (rule.mfa !== undefined) parts.push(`mfaAge <= ${rule.mfa}.0`);
  if (rule.riskBelow !== undefined) parts.push(`risk < ${rule.riskBelow}.0`);
  if (rule.countries.length > 0) parts.push(`country in ${list(rule.countries)}`);
  if (rule.hours !== undefined) {
    parts.push(any(intervalsOf(rule.hours).map(([from, to]) => `(minute >= ${from}.0 && minute < ${to}.0)`)));
  }
  if (rule.prefix !== undefined)
    parts.push(any([`path == "${rule.prefix}"`, `path.startsWith("${rule.prefix}/")`]));
  if (rule.network !== undefined) {
    const [first, last] = rangeOf(rule.network);
    parts.push(`(ip >= ${first}.0 && ip <= ${last}.0)`);
  }
  return parts.length === 0 ? 'true' : parts.join(' && ');
}
