// Shadow rules: evaluated with every decision and recorded beside it, without any effect on the verdict.
import type { Decision } from './decision.ts';
import { type AppRules, matches } from './evaluate.ts';
import type { Facts } from './facts.ts';
import { unfulfilled } from './obligations.ts';
import type { Rule } from './rule.ts';

type Shadows = NonNullable<Decision['shadow']>;

/** Different combinations that are kept; beyond them each decision makes its own. */
const MAX_KEPT = 4096;

/** Decisions with the shadow rules that matched, made once for each combination. */
export class ShadowVerdicts {
  readonly #kept: Readonly<Record<Decision['verdict'], Map<Decision, Map<Rule, Decision>>>> = {
    allow: new Map(),
    deny: new Map(),
  };
  #count = 0;

  /** `decision`, with what each matching shadow rule would have made of it. */
  of(decision: Decision, rules: AppRules, facts: Facts): Decision {
    let current = decision;
    for (const rule of rules.shadow) {
      if (matches(rule, facts)) current = this.#with(current, rule, wouldBe(decision, rule, facts));
    }
    return current;
  }

  #with(decision: Decision, rule: Rule, would: Decision['verdict']): Decision {
    const kept = this.#kept[would];
    let next = kept.get(decision);
    const known = next?.get(rule);
    if (known !== undefined) return known;
    const shadow: Shadows = [...(decision.shadow ?? []), { rule: rule.id, would }];
    const combined = Object.freeze({ ...decision, shadow: Object.freeze(shadow) });
    if (this.#count < MAX_KEPT) {
      next ??= new Map();
      next.set(rule, combined);
      kept.set(decision, next);
      this.#count += 1;
    }
    return combined;
  }
}

/** The verdict if this one rule were in force: a deny rule that matched keeps denying, and an allow may ask what is lacking. */
function wouldBe({ verdict, reason }: Decision, rule: Rule, { request }: Facts): Decision['verdict'] {
  if (rule.effect === 'deny' || reason === 'denied-by-rule') return 'deny';
  const lacks = verdict === 'deny' && unfulfilled(rule.decision.obligations, request) !== undefined;
  return lacks ? 'deny' : 'allow';
}
