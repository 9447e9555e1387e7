// Why a request was decided as it was: the nearest rules, criterion by criterion, and what would change it. The
// same predicates as the evaluator's, asked again; never on the way of an allowed request.
import { CRITERIA, CRITERION_NAMES, type CriterionName } from './criteria/criteria.ts';
import type { Criterion } from './criteria/criterion.ts';
import type { Decision, Explanation, Remedy, Unmet } from './decision.ts';
import { type AppRules, matches } from './evaluate.ts';
import { Facts } from './facts.ts';
import type { AccessRequest } from './input.ts';
import { lackInWords } from './lack.ts';
import type { Policy } from './policy.ts';
import { findRemedy } from './remedy.ts';
import { type Box, type Rule, wantedBy } from './rule.ts';
import { MET, type Truth, UNKNOWN } from './truth.ts';

/** Rules shown; what is further away says nothing about this request. */
const MAX_NEAREST = 5;

type Trace = Explanation['nearest'][number];

/** What a rule wants and does not get; put into words only where it is shown. */
interface Lack {
  readonly name: CriterionName;
  readonly want: unknown;
  readonly code: string;
}

interface Judged {
  readonly rule: string;
  readonly effect: 'allow' | 'deny';
  readonly lacks: readonly Lack[];
  readonly met: readonly string[];
  /** What an allow rule that matches asks beyond its criteria, and the request lacks. */
  readonly asks: readonly Unmet[];
}

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
  const nearest = nearestTo(decision, rules, facts).slice(0, MAX_NEAREST);
  return {
    decision,
    nearest: nearest.map((one) => inWords(one, facts)),
    remedy: decision.verdict === 'allow' ? { kind: 'none' } : remedyFor(decision, policy, rules, request),
    entitled: isEntitled(rules, facts),
  };
}

/** Whoever would be let in after signing in again does so afresh: the sign-in they have is what is not enough. */
function remedyFor({ reason }: Decision, policy: Policy, rules: AppRules, request: AccessRequest): Remedy {
  const remedy = findRemedy(policy, rules, request);
  const afresh = reason === 'step-up-required' || reason === 'session-too-old';
  return afresh && remedy.kind === 'step-up' ? { ...remedy, maxAge: 0 } : remedy;
}

/** Some allow rule in force names the person, whatever else it asks. */
function isEntitled(rules: AppRules, facts: Facts): boolean {
  return rules.allow.some(({ base }) => base.who === null || CRITERIA.who.truth(base.who, facts) === MET);
}

/**
 * On deny: the deny rules that matched, then the allow rules by distance. On allow: what allowed, then denials. The rule that
 * decided comes before its like.
 */
function nearestTo({ verdict, rule: decider }: Decision, rules: AppRules, facts: Facts): Judged[] {
  const allows = decidedFirst(sorted(rules.allow, facts), decider?.id);
  if (verdict === 'deny')
    return [
      ...sorted(
        rules.deny.filter((rule) => matches(rule, facts)),
        facts,
      ),
      ...allows,
    ];
  const allowing = allows.filter(({ lacks, asks }) => lacks.length + asks.length === 0);
  const others = allows.filter((one) => !allowing.includes(one));
  return [...allowing, ...sorted(rules.deny, facts), ...others];
}

function decidedFirst(judged: readonly Judged[], decider: string | undefined): Judged[] {
  return [...judged.filter(({ rule }) => rule === decider), ...judged.filter(({ rule }) => rule !== decider)];
}

function sorted(rules: readonly Rule[], facts: Facts): Judged[] {
  return rules
    .map((rule) => judged(rule, facts))
    .map((one) => ({ one, distance: distance(one) }))
    .sort((a, b) => a.distance - b.distance || (a.one.rule < b.one.rule ? -1 : 1))
    .map(({ one }) => one);
}

/** Nobody can change what they ask for or, easily, who they are. */
const WEIGHTS: Partial<Readonly<Record<CriterionName, number>>> = {
  who: 100,
  protocol: 10,
  methods: 10,
  paths: 10,
};

function distance({ lacks, asks }: Judged): number {
  return lacks.reduce((sum, { name }) => sum + (WEIGHTS[name] ?? 1), asks.length);
}

function inWords({ rule, effect, lacks, met, asks }: Judged, facts: Facts): Trace {
  const unmet = lacks.map(({ name, want, code }): Unmet => {
    const criterion = CRITERIA[name] as Criterion<unknown>;
    return { criterion: criterion.key, code, need: criterion.need(want), have: criterion.have(want, facts) };
  });
  return { rule, effect, unmet: [...unmet, ...asks], met };
}

function judged(rule: Rule, facts: Facts): Judged {
  const best = rule
    .boxes()
    .map((box) => judgeBox(box, rule, facts))
    .reduce((a, b) => (b.lacks.length < a.lacks.length ? b : a));
  if (rule.effect === 'allow') {
    const asks = best.lacks.length === 0 ? lackInWords(rule.decision.obligations, facts) : [];
    return { rule: rule.id, effect: 'allow', ...best, asks };
  }
  if (!matches(rule, facts)) return { rule: rule.id, effect: 'deny', ...best, asks: [] };
  // It matched: tell what made it match, and what under `unless` would have lifted it.
  const lifting = rule.unless.flatMap((box) =>
    wantedBy(box).flatMap((name) => judge(box, name, facts, MET, (code) => code)),
  );
  const causes = rule
    .boxes()
    .flatMap((box) => (judgeBox(box, rule, facts).lacks.length === 0 ? causesIn(box, facts) : []));
  return { rule: rule.id, effect: 'deny', lacks: [...causes, ...lifting], met: best.met, asks: [] };
}

function judgeBox(box: Box, rule: Rule, facts: Facts): Pick<Judged, 'lacks' | 'met'> {
  const names = wantedBy(box);
  const lacks = names.flatMap((name) => judge(box, name, facts, rule.needed, (code) => code));
  const failed = new Set(lacks.map(({ name }) => CRITERIA[name].key));
  return { lacks, met: names.map((name) => CRITERIA[name].key).filter((key) => !failed.has(key)) };
}

/** The criteria of a deny rule that matched. Its target is no cause: the rule is about that target. */
function causesIn(box: Box, facts: Facts): Lack[] {
  const target: ReadonlySet<CriterionName> = new Set(['protocol', 'methods', 'paths']);
  return wantedBy(box)
    .filter((name) => !target.has(name))
    .flatMap((name) => judge(box, name, facts, MET + 1, () => `${kebab(name)}-denied`));
}

/** The criterion as lacking when its truth is below `needed`, else nothing. */
function judge(
  box: Box,
  name: CriterionName,
  facts: Facts,
  needed: number,
  codeOf: (code: string) => string,
): Lack[] {
  const criterion = CRITERIA[name] as Criterion<unknown>;
  const want: unknown = box[name];
  const truth: Truth = criterion.truth(want, facts);
  if (truth >= needed) return [];
  return [{ name, want, code: truth === UNKNOWN ? `${kebab(name)}-unknown` : codeOf(criterion.code) }];
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
