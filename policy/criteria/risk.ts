// The risk score of the request, 0 to 100; higher is worse.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { apart, contains, type Interval, within } from './intervals.ts';

const score = z.number().min(0).max(100);

/** A number is the score it must stay below. */
export const riskSchema: z.ZodType<number | { below?: number | undefined; atLeast?: number | undefined }> =
  z.union([score, z.strictObject({ below: score.optional(), atLeast: score.optional() })]);

export const risk: Criterion<Interval> = {
  key: 'risk',
  code: 'risk-out-of-range',
  truth(want: Interval, { request }: Facts): Truth {
    const value = request.risk;
    return value === undefined || !Number.isFinite(value) ? UNKNOWN : truthOf(contains(want, value));
  },
  need({ atLeast, below }) {
    const low = atLeast === Number.NEGATIVE_INFINITY ? '' : `at least ${atLeast}`;
    const high = below === Number.POSITIVE_INFINITY ? '' : `below ${below}`;
    return [low, high].filter((part) => part !== '').join(' and ');
  },
  have: (_want, { request }) => String(request.risk ?? 'unknown'),
  implies: within,
  disjoint: apart,
};
