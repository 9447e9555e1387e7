// Why a request was decided as it was: the nearest rules, criterion by criterion, and what would change it. The
// same predicates as the evaluator's, asked again; never on the way of an allowed request.
import { CRITERIA, CRITERION_NAMES, type CriterionName } from './criteria/criteria.ts';
import type { Criterion } from './criteria/criterion.ts';
import type { Explanation, Unmet } from './decision.ts';
import { type AppRules, matches } from './evaluate.ts';
import { Facts } from './facts.ts';
import type { AccessRequest } from './input.ts';
import type { Policy } from './policy.ts';
import { findRemedy } from './remedy.ts';
import type { Box, Rule } from './rule.ts';
import { MET, type Truth, UNKNOWN } from './truth.ts';

/** Rules shown; what is further away says nothing about this request. */
const MAX_NEAREST = 5;

type Trace = Explanation['nearest'][number];

/** Every code an `Unmet` can carry: the criterion's own, `<criterion>-unknown` and `<criterion>-denied`. */
export const UNMET_CODES: readonly string[] = CRITERION_NAMES.flatMap((name) => [
  CRITERIA[name].code,
  `${kebab(name)}-unknown`,
  `${kebab(name)}-denied`,
]);

export function explain(policy: Policy, request: AccessRequest): Explanation {
  const prepared = policy.prepare(request.subject);
  const decision = policy.decide(request, prepared);
  const rules = policy.compiled.byApp.get(request.target.app);
  if (rules === undefined) return { decision, nearest: [], remedy: { kind: 'none' }, entitled: false };
  const facts = new Facts(request, prepared.selectors);
  const nearest = nearestTo(decision.verdict, rules, facts).slice(0, MAX_NEAREST);
  const remedy =
    decision.verdict === 'allow' ? { kind: 'none' as const } : findRemedy(policy, rules, request);
  return { decision, nearest, remedy, entitled: isEntitled(rules, facts) };
}

/** Some allow rule in force names the person, whatever else it asks. */
function isEntitled(rules: AppRules, facts: Facts): boolean {
  return rules.allow.some(({ base }) => base.who === null || CRITERIA.who.truth(base.who, facts) === MET);
}

/** On deny: the deny rules that matched, then the allow rules by distance. On allow: what allowed, then denials. */
function nearestTo(verdict: 'allow' | 'deny', rules: AppRules, facts: Facts): Trace[] {
  const allows = sorted(rules.allow, facts);
  if (verdict === 'deny')
    return [
      ...sorted(
        rules.deny.filter((rule) => matches(rule, facts)),
        facts,
      ),
      ...allows,
    ];
  const allowing = allows.filter(({ unmet }) => unmet.length === 0);
  return [...allowing, ...sorted(rules.deny, facts), ...allows.slice(allowing.length)];
}

function sorted(rules: readonly Rule[], facts: Facts): Trace[] {
  return rules
    .map((rule) => ({ trace: trace(rule, facts), id: rule.id }))
    .sort((a, b) => distance(a.trace) - distance(b.trace) || (a.id < b.id ? -1 : 1))
    .map((entry) => entry.trace);
}

/** Nobody can change what they ask for or, easily, who they are. */
function distance({ unmet }: Trace): number {
  const weights: Readonly<Record<string, number>> = { who: 100, protocol: 10, methods: 10, paths: 10 };
  return unmet.reduce((sum, { criterion }) => sum + (weights[criterion] ?? 1), 0);
}

function trace(rule: Rule, facts: Facts): Trace {
  const best = rule
    .boxes()
    .map((box) => traceBox(box, rule, facts))
    .reduce((a, b) => (b.unmet.length < a.unmet.length ? b : a));
  if (rule.effect === 'allow') return { rule: rule.id, effect: 'allow', ...best };
  if (!matches(rule, facts)) return { rule: rule.id, effect: 'deny', ...best };
  // It matched: tell what made it match, and what under `unless` would have lifted it.
  const lifting = rule.unless.flatMap((box) =>
    wantedBy(box).flatMap((name) => judge(box, name, facts, MET, (code) => code)),
  );
  const causes = rule
    .boxes()
    .flatMap((box) => (traceBox(box, rule, facts).unmet.length === 0 ? causesIn(box, facts) : []));
  return { rule: rule.id, effect: 'deny', unmet: [...causes, ...lifting], met: best.met };
}

function traceBox(box: Box, rule: Rule, facts: Facts): { unmet: readonly Unmet[]; met: readonly string[] } {
  const names = wantedBy(box);
  const unmet = names.flatMap((name) => judge(box, name, facts, rule.needed, (code) => code));
  const failed = new Set(unmet.map(({ criterion }) => criterion));
  return { unmet, met: names.map((name) => CRITERIA[name].key).filter((key) => !failed.has(key)) };
}

/** The criteria of a deny rule that matched. Its target is no cause: the rule is about that target. */
function causesIn(box: Box, facts: Facts): Unmet[] {
  const target: ReadonlySet<CriterionName> = new Set(['protocol', 'methods', 'paths']);
  return wantedBy(box)
    .filter((name) => !target.has(name))
    .flatMap((name) => judge(box, name, facts, MET + 1, () => `${kebab(name)}-denied`));
}

/** The criterion's `Unmet` when its truth is below `needed`, else nothing. */
function judge(
  box: Box,
  name: CriterionName,
  facts: Facts,
  needed: number,
  codeOf: (code: string) => string,
): Unmet[] {
  const criterion = CRITERIA[name] as Criterion<unknown>;
  const want: unknown = box[name];
  const truth: Truth = criterion.truth(want, facts);
  if (truth >= needed) return [];
  const code = truth === UNKNOWN ? `${kebab(name)}-unknown` : codeOf(criterion.code);
  return [{ criterion: criterion.key, code, need: criterion.need(want), have: criterion.have(want, facts) }];
}

function wantedBy(box: Box): CriterionName[] {
  return CRITERION_NAMES.filter((name) => box[name] !== null);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
