// Which identity provider signed the person in.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

export const provider: Criterion<ReadonlySet<string>> = {
  key: 'provider',
  code: 'wrong-provider',
  truth(want, { request }) {
    const value = request.login?.provider;
    return value === undefined ? UNKNOWN : truthOf(want.has(value));
  },
  need: (want) => listed(want),
  have: (_want, { request }) => String(request.login?.provider ?? 'unknown'),
  implies: isSubset,
  disjoint: isDisjoint,
};
