// `from` and `until`: the instants between which a rule is in force at all, as temporary grants are.
import { z } from 'zod';
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { apart, contains, type Interval, within } from './intervals.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/;

/** Epoch milliseconds. The offset is mandatory: a local time alone is two instants once a year. */
export const instantSchema: z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> = z
  .string()
  .regex(
    INSTANT,
    'an instant is written like `2026-03-01T08:00+01:00` or `2026-03-01T07:00Z`, with its offset',
  )
  .transform((text, context) => {
    if (!INSTANT.test(text)) return Number.NaN;
    try {
      return Temporal.Instant.from(text).epochMilliseconds;
    } catch {
      context.addIssue({ code: 'custom', message: `\`${text}\` is not a date that exists` });
      return Number.NaN;
    }
  });

export const validity: Criterion<Interval> = {
  key: 'until',
  code: 'not-in-force',
  truth: (want, { at }) => (Number.isNaN(at) ? UNKNOWN : truthOf(contains(want, at))),
  need({ atLeast, below }) {
    const from = atLeast === Number.NEGATIVE_INFINITY ? '' : `from ${new Date(atLeast).toISOString()}`;
    const until = below === Number.POSITIVE_INFINITY ? '' : `until ${new Date(below).toISOString()}`;
    return `${from} ${until}`.trim();
  },
  have: (_want, { at }) => (Number.isNaN(at) ? 'unknown' : new Date(at).toISOString()),
  implies: within,
  disjoint: apart,
};
