// The country of the client's address. Private addresses say so explicitly, so that an embargo does not lock out the office.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

export const country: Criterion<ReadonlySet<string>> = {
  key: 'country',
  code: 'wrong-country',
  truth(want, { request }) {
    const value = request.network.country;
    return value === undefined ? UNKNOWN : truthOf(want.has(value));
  },
  need: (want) => listed(want),
  have: (_want, { request }) => String(request.network.country ?? 'unknown'),
  implies: isSubset,
  disjoint: isDisjoint,
};
