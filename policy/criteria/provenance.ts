// Which builder's provenance of the running images was verified (SLSA).
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { holdsOneOf, isSubset, listed } from './sets.ts';

export const provenance: Criterion<ReadonlySet<string>> = {
  key: 'workload.provenance',
  code: 'wrong-provenance',
  truth(want, { request }) {
    const values = request.workload?.provenance;
    return values === undefined ? UNKNOWN : truthOf(holdsOneOf(values, want));
  },
  need: (want) => `one of ${listed(want)}`,
  have: (_want, { request }) =>
    request.workload?.provenance === undefined ? 'unknown' : listed(request.workload?.provenance),
  implies: isSubset,
  disjoint: () => false,
};
