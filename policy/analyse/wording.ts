// Rules in words, criterion by criterion, for reports that people read.
import { CRITERIA, CRITERION_NAMES, type CriterionName } from '../criteria/criteria.ts';
import type { Criterion } from '../criteria/criterion.ts';
import type { Box, Rule } from '../rule.ts';

/** `hours office (Europe/Berlin); mfa at most 8h ago`, without the criteria left out. */
function describeBox(box: Box, without: readonly CriterionName[] = []): string {
  return CRITERION_NAMES.filter((name) => box[name] !== null && !without.includes(name))
    .map((name) => {
      const criterion = CRITERIA[name] as Criterion<unknown>;
      return `${criterion.key} ${criterion.need(box[name])}`;
    })
    .join('; ');
}

/** A rule's conditions, one text for each alternative; empty when it has none. */
export function describeConditions(rule: Rule): string[] {
  const unless = rule.unless.map((box) => `unless ${describeBox(box)}`);
  return rule
    .boxes()
    .map((box) => [describeBox(box, ['who']), ...unless].filter((part) => part !== '').join('; '));
}
