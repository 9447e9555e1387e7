// The workload's rules as casbin policies with conditions, one enforcer per app.
import { newEnforcer, newModelFromString } from 'casbin';
import { type Engine, factsOf, groupNames, versionOf } from './engines.ts';
import { intervalsOf, rangeOf, type Workload, type WorkloadRule } from './workload.ts';

const MODEL = `
[request_definition]
r = ctx
[policy_definition]
p = cond, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = eval(p.cond)
`;

type Enforcer = Awaited<ReturnType<typeof newEnforcer>>;

export async function casbin(workload: Workload): Promise<Engine> {
  const groups = groupNames(workload);
  const enforcers = new Map<string, Enforcer>();
  for (const [app, rules] of Map.groupBy(workload.rules, (rule) => rule.app)) {
    const enforcer = await newEnforcer(newModelFromString(MODEL));
    enforcer.addFunction('has', (list: string[], value: string) => list.includes(value));
    enforcer.addFunction(
      'below',
      (path: string, prefix: string) => path === prefix || path.startsWith(`${prefix}/`),
    );
    await enforcer.addPolicies(rules.map((rule) => [conditionOf(rule), rule.effect]));
    enforcers.set(app, enforcer);
  }
  return {
    name: 'casbin',
    version: versionOf('casbin'),
    decide(seed) {
      const enforcer = enforcers.get(seed.app);
      if (enforcer === undefined) return 'deny';
      return enforcer.enforceSync(factsOf(seed, groups[seed.user] ?? [])) ? 'allow' : 'deny';
    },
  };
}

function conditionOf(rule: WorkloadRule): string {
  const any = (parts: readonly string[]): string => `(${parts.join(' || ')})`;
  const parts: string[] = [];
  if (rule.hardened) parts.push('r.ctx.hardened');
  if (rule.groups.length > 0) parts.push(any(rule.groups.map((group) => `has(r.ctx.groups, "t${group}")`)));
  if (rule.methods.length > 0) parts.push(any(rule.methods.map((method) => `r.ctx.method == "${method}"`)));
  if (rule.mfa !== undefined) parts.push(`r.ctx.mfaAge <= ${rule.mfa}`);
  if (rule.riskBelow !== undefined) parts.push(`r.ctx.risk < ${rule.riskBelow}`);
  if (rule.countries.length > 0)
    parts.push(any(rule.countries.map((country) => `r.ctx.country == "${country}"`)));
  if (rule.hours !== undefined) {
    parts.push(
      any(intervalsOf(rule.hours).map(([from, to]) => `(r.ctx.minute >= ${from} && r.ctx.minute < ${to})`)),
    );
  }
  if (rule.prefix !== undefined) parts.push(`below(r.ctx.path, "${rule.prefix}")`);
  if (rule.network !== undefined) {
    const [first, last] = rangeOf(rule.network);
    parts.push(`r.ctx.ip >= ${first} && r.ctx.ip <= ${last}`);
  }
  // No two policies of casbin may be equal; an always true part keeps twins apart.
  return [`"${rule.id}" != ""`, ...parts].join(' && ');
}
