// Whether the person has an open ticket for this access.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

export const ticket: Criterion<ReadonlySet<'open' | 'none'>> = {
  key: 'ticket',
  code: 'no-open-ticket',
  truth(want, { request }) {
    const value = request.ticket;
    return value === undefined ? UNKNOWN : truthOf(want.has(value));
  },
  need: (want) => listed(want),
  have: (_want, { request }) => String(request.ticket ?? 'unknown'),
  implies: isSubset,
  disjoint: isDisjoint,
};
