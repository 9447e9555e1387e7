// When one rule makes another one needless, by comparing their criteria. What it claims must hold for every
// request; where it cannot tell, it claims nothing.
import { CRITERIA, CRITERION_NAMES, type CriterionName } from '../criteria/criteria.ts';
import type { Criterion } from '../criteria/criterion.ts';
import type { Box, Rule } from '../rule.ts';

/** Whether every request that passes `inner` passes `outer` too, if it passes the criterion `given`. */
function boxCovers(outer: Box, inner: Box, given?: CriterionName): boolean {
  return CRITERION_NAMES.every((name) => {
    const theirs: unknown = outer[name];
    const ours: unknown = inner[name];
    return (
      theirs === null ||
      name === given ||
      (ours !== null && (CRITERIA[name] as Criterion<unknown>).implies(ours, theirs))
    );
  });
}

/** Whether no request with known facts passes both. */
function boxesDisjoint(a: Box, b: Box): boolean {
  return CRITERION_NAMES.some((name) => {
    const ours: unknown = a[name];
    const theirs: unknown = b[name];
    return ours !== null && theirs !== null && (CRITERIA[name] as Criterion<unknown>).disjoint(ours, theirs);
  });
}

/**
 * Whether `outer` matches every request that `inner` matches. `outer` may be a deny rule when `inner` is an allow
 * rule, since what is known to pass passes a deny too; never the other way round. `given` is a criterion of `outer`
 * that is known to pass.
 */
export function ruleCovers(outer: Rule, inner: Rule, given?: CriterionName): boolean {
  if (outer.effect === 'allow' && inner.effect === 'deny') return false;
  return inner
    .boxes()
    .every(
      (box) => outer.boxes().some((wider) => boxCovers(wider, box, given)) && staysIn(outer, inner, box),
    );
}

/** Whether `outer` is lifted for no request in this box of `inner` that `inner` itself still matches. */
function staysIn(outer: Rule, inner: Rule, box: Box): boolean {
  return outer.unless.every(
    (lift) => boxesDisjoint(box, lift) || inner.unless.some((own) => boxCovers(own, lift)),
  );
}
