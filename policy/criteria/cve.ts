// The worst known vulnerability in the workload's images, as a severity.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { apart, contains, type Interval, within } from './intervals.ts';

/** From harmless to worst. */
export const SEVERITIES = ['none', 'low', 'medium', 'high', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

const severity = z.enum(SEVERITIES);

/** A severity alone is the worst that is still good enough. */
export const cveSchema: z.ZodType<
  Severity | { atMost?: Severity | undefined; atLeast?: Severity | undefined }
> = z.union([severity, z.strictObject({ atMost: severity.optional(), atLeast: severity.optional() })]);

/** Positions in `SEVERITIES`. */
export const cve: Criterion<Interval> = {
  key: 'workload.worstCve',
  code: 'cve-out-of-range',
  truth(want: Interval, { request }: Facts): Truth {
    const level = SEVERITIES.indexOf(request.workload?.worstCve as Severity);
    return level < 0 ? UNKNOWN : truthOf(contains(want, level));
  },
  need({ atLeast, below }) {
    const low = atLeast > 0 ? `at least ${SEVERITIES[atLeast]}` : '';
    const high = below < SEVERITIES.length ? `at most ${SEVERITIES[below - 1]}` : '';
    return [low, high].filter((part) => part !== '').join(' and ');
  },
  have: (_want, { request }) => request.workload?.worstCve ?? 'unknown',
  implies: within,
  disjoint: apart,
};
