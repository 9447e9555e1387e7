// How the person proved who they are (RFC 8176 authentication method references).
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { holdsOneOf, isSubset, listed } from './sets.ts';

export const amr: Criterion<ReadonlySet<string>> = {
  key: 'amr',
  code: 'wrong-amr',
  truth(want, { request }) {
    const values = request.login?.amr;
    return values === undefined ? UNKNOWN : truthOf(holdsOneOf(values, want));
  },
  need: (want) => `one of ${listed(want)}`,
  have: (_want, { request }) => (request.login?.amr === undefined ? 'unknown' : listed(request.login?.amr)),
  implies: isSubset,
  disjoint: () => false,
};
