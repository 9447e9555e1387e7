// Rules in words, criterion by criterion, for reports that people read.
import { CRITERIA, CRITERION_NAMES, type CriterionName } from '../criteria/criteria.ts';
import type { Criterion } from '../criteria/criterion.ts';
import type { Obligations } from '../decision.ts';
import { READING } from '../obligations.ts';
import type { Box, Rule } from '../rule.ts';
import { formatDuration } from '../time/duration.ts';

/** `hours office (Europe/Berlin); mfa at most 8h ago`, without the criteria left out. */
function describeBox(box: Box, without: readonly CriterionName[] = []): string {
  return CRITERION_NAMES.filter((name) => box[name] !== null && !without.includes(name))
    .map((name) => {
      const criterion = CRITERIA[name] as Criterion<unknown>;
      return `${criterion.key} ${criterion.need(box[name])}`;
    })
    .join('; ');
}

/** A rule's conditions and what it asks beyond them, one text for each alternative; empty when there is nothing of it. */
export function describeConditions(rule: Rule): string[] {
  const unless = rule.unless.map((box) => `unless ${describeBox(box)}`);
  const asked = describeObligations(rule.decision.obligations ?? {});
  return rule
    .boxes()
    .map((box) => [describeBox(box, ['who']), ...unless, ...asked].filter((part) => part !== '').join('; '));
}

function describeObligations({ readOnly, stepUp, rate, record, maxSession }: Obligations): string[] {
  const { by = ['user'] } = rate ?? {};
  return [
    readOnly === true ? `only ${[...READING].join(', ')}` : '',
    stepUp?.mfa === undefined ? '' : `step-up ${CRITERIA.mfa.need(stepUp.mfa)}`,
    stepUp?.phishingResistant === true ? `step-up with ${CRITERIA.phishing.need(true)}` : '',
    rate === undefined
      ? ''
      : `at most ${rate.requests} in ${formatDuration(rate.per)} for each ${by.join(' and ')}`,
    record === true ? 'recorded' : '',
    maxSession === undefined ? '' : `signed in at most ${formatDuration(maxSession)} ago`,
  ].filter((part) => part !== '');
}
