// The workload's rules as data for a Rego policy compiled to WebAssembly (opa.rego, compiled once into opa.wasm).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { type Engine, factsOf, versionOf } from './engines.ts';
import { intervalsOf, rangeOf, type Workload, type WorkloadRule } from './workload.ts';

/** Memory pages of 64 KiB for the rules as data. */
const PAGES = { initial: 512, maximum: 16_384 };

export async function opa(workload: Workload): Promise<Engine> {
  const wasm = readFileSync(join(import.meta.dirname, 'opa.wasm'));
  const policy = await loadPolicy(wasm, PAGES);
  const rules: Record<string, { allow: object[]; deny: object[] }> = {};
  for (const rule of workload.rules) {
    const app = rules[rule.app] ?? { allow: [], deny: [] };
    app[rule.effect].push(dataOf(rule));
    rules[rule.app] = app;
  }
  policy.setData({ rules });
  // An object of groups, since a lookup in it does not depend on how many there are.
  const groups = workload.flattened.map((all) => Object.fromEntries(all.map((group) => [`t${group}`, true])));
  return {
    name: 'opa-wasm',
    version: versionOf('@open-policy-agent/opa-wasm'),
    decide(seed) {
      const [answer] = policy.evaluate({ ...factsOf(seed, []), groups: groups[seed.user] }) as {
        result: unknown;
      }[];
      return answer?.result === 'allow' ? 'allow' : 'deny';
    },
  };
}

function dataOf(rule: WorkloadRule): object {
  const keys = (values: readonly string[]): object =>
    Object.fromEntries(values.map((value) => [value, true]));
  return {
    ...(rule.hardened ? { hardened: true } : {}),
    ...(rule.groups.length === 0 ? {} : { groups: rule.groups.map((group) => `t${group}`) }),
    ...(rule.methods.length === 0 ? {} : { methods: keys(rule.methods) }),
    ...(rule.mfa === undefined ? {} : { mfa: rule.mfa }),
    ...(rule.riskBelow === undefined ? {} : { riskBelow: rule.riskBelow }),
    ...(rule.countries.length === 0 ? {} : { countries: keys(rule.countries) }),
    ...(rule.hours === undefined ? {} : { hours: intervalsOf(rule.hours) }),
    ...(rule.prefix === undefined ? {} : { prefix: rule.prefix, below: `${rule.prefix}/` }),
    ...(rule.network === undefined ? {} : { network: rangeOf(rule.network) }),
  };
}
