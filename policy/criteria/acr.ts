// The authentication context class the identity provider vouches for (OpenID Connect Core, `acr`).
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

export const acr: Criterion<ReadonlySet<string>> = {
  key: 'acr',
  code: 'wrong-acr',
  truth(want, { request }) {
    const value = request.login?.acr;
    return value === undefined ? UNKNOWN : truthOf(want.has(value));
  },
  need: (want) => listed(want),
  have: (_want, { request }) => String(request.login?.acr ?? 'unknown'),
  implies: isSubset,
  disjoint: isDisjoint,
};
