// Criteria of the form "at most so long ago": each is this shape with another clock reading.
import { age, type Facts } from '../facts.ts';
import { formatDuration } from '../time/duration.ts';
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';

/** A criterion that what `when` reads happened no longer ago than the rule's milliseconds. */
export function withinAge(
  key: string,
  code: string,
  when: (facts: Facts) => number | undefined,
): Criterion<number> {
  return {
    key,
    code,
    truth(want, facts) {
      const elapsed = age(facts.at, when(facts));
      return Number.isNaN(elapsed) ? UNKNOWN : truthOf(elapsed <= want);
    },
    need: (want) => `at most ${formatDuration(want)} ago`,
    have(_want, facts) {
      const then = when(facts);
      if (then === undefined) return 'unknown';
      const elapsed = age(facts.at, then);
      return Number.isNaN(elapsed) ? 'in the future' : `${formatDuration(elapsed)} ago`;
    },
    implies: (a, b) => a <= b,
    disjoint: () => false,
  };
}
