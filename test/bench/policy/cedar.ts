// The workload's rules as Cedar policies, one preparsed policy set per app.
import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { type Engine, factsOf, groupNames, versionOf } from './engines.ts';
import { intervalsOf, rangeOf, type Workload, type WorkloadRule } from './workload.ts';

const USER = { type: 'User', id: 'u' };
const ACTION = { type: 'Action', id: 'access' };
const RESOURCE = { type: 'App', id: 'a' };

export function cedar(workload: Workload): Engine {
  const groups = groupNames(workload);
  const byApp = Map.groupBy(workload.rules, ({ app }) => app);
  for (const [app, rules] of byApp) {
    const answer = preparsePolicySet(`${workload.rules.length}-${app}`, {
      staticPolicies: rules.map(policyOf).join('\n'),
    });
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer));
  }
  return {
    name: 'cedar-wasm',
    version: versionOf('@cedar-policy/cedar-wasm'),
    decide(seed) {
      if (!byApp.has(seed.app)) return 'deny';
      const answer = statefulIsAuthorized({
        principal: USER,
        action: ACTION,
        resource: RESOURCE,
        context: factsOf(seed, groups[seed.user] ?? []) as never,
        preparsedPolicySetId: `${workload.rules.length}-${seed.app}`,
        entities: [],
      });
      return answer.type === 'success' ? answer.response.decision : 'deny';
    },
  };
}

function policyOf(rule: WorkloadRule): string {
  const any = (parts: readonly string[]): string => `(${parts.join(' || ')})`;
  const list = (values: readonly string[]): string =>
    `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
  const parts: string[] = [];
  if (rule.hardened) parts.push('context.hardened');
  if (rule.groups.length > 0)
    parts.push(any(rule.groups.map((group) => `context.groups.contains("t${group}")`)));
  if (rule.methods.length > 0) parts.push(`${list(rule.methods)}.contains(context.method)`);
  if (rule.mfa !== undefined) parts.push(`context.mfaAge <= ${rule.mfa}`);
  if (rule.riskBelow !== undefined) parts.push(`context.risk < ${rule.riskBelow}`);
  if (rule.countries.length > 0) parts.push(`${list(rule.countries)}.contains(context.country)`);
  if (rule.hours !== undefined) {
    parts.push(
      any(
        intervalsOf(rule.hours).map(([from, to]) => `(context.minute >= ${from} && context.minute < ${to})`),
      ),
    );
  }
  if (rule.prefix !== undefined) {
    parts.push(any([`context.path == "${rule.prefix}"`, `context.path like "${rule.prefix}/*"`]));
  }
  if (rule.network !== undefined) {
    const [first, last] = rangeOf(rule.network);
    parts.push(`context.ip >= ${first} && context.ip <= ${last}`);
  }
  const effect = rule.effect === 'allow' ? 'permit' : 'forbid';
  return `${effect}(principal, action, resource) when { ${parts.length === 0 ? 'true' : parts.join(' && ')} };`;
}
