// Whose signature over the running images was verified.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { holdsOneOf, isSubset, listed } from './sets.ts';

export const signedBy: Criterion<ReadonlySet<string>> = {
  key: 'workload.signedBy',
  code: 'unsigned-workload',
  truth(want, { request }) {
    const values = request.workload?.signedBy;
    return values === undefined ? UNKNOWN : truthOf(holdsOneOf(values, want));
  },
  need: (want) => `one of ${listed(want)}`,
  have: (_want, { request }) =>
    request.workload?.signedBy === undefined ? 'unknown' : listed(request.workload?.signedBy),
  implies: isSubset,
  disjoint: () => false,
};
