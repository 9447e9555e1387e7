// Shadow rules: evaluated with every decision and recorded beside it, without any effect on the verdict.
import type { Decision } from './decision.ts';
import { type AppRules, matches } from './evaluate.ts';
import type { Facts } from './facts.ts';
import type { Rule } from './rule.ts';

type Shadows = NonNullable<Decision['shadow']>;

/** Different combinations that are kept; beyond them each decision makes its own. */
const MAX_KEPT = 4096;

/** Decisions with the shadow rules that matched, made once for each combination. */
export class ShadowVerdicts {
  readonly #kept: Map<Decision, Map<Rule, Decision>> = new Map();
  #count = 0;

  /** `decision`, with what each matching shadow rule would have made of it. */
  of(decision: Decision, rules: AppRules, facts: Facts): Decision {
    let current = decision;
    for (const rule of rules.shadow) {
      if (matches(rule, facts)) current = this.#with(current, rule);
    }
    return current;
  }

  #with(decision: Decision, rule: Rule): Decision {
    let next = this.#kept.get(decision);
    const known = next?.get(rule);
    if (known !== undefined) return known;
    const shadow: Shadows = [...(decision.shadow ?? []), { rule: rule.id, would: wouldBe(decision, rule) }];
    const combined = Object.freeze({ ...decision, shadow: Object.freeze(shadow) });
    if (this.#count < MAX_KEPT) {
      next ??= new Map();
      next.set(rule, combined);
      this.#kept.set(decision, next);
      this.#count += 1;
    }
    return combined;
  }
}

/** The verdict if this one rule were in force: a deny rule that matched keeps denying. */
function wouldBe({ reason }: Decision, rule: Rule): 'allow' | 'deny' {
  return rule.effect === 'deny' || reason === 'denied-by-rule' ? 'deny' : 'allow';
}
