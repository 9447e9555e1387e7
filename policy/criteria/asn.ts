// The autonomous system that announces the client's address.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

export const asn: Criterion<ReadonlySet<number>> = {
  key: 'asn',
  code: 'wrong-network-operator',
  truth(want, { request }) {
    const value = request.network.asn;
    return value === undefined ? UNKNOWN : truthOf(want.has(value));
  },
  need: (want) => listed(want),
  have: (_want, { request }) => String(request.network.asn ?? 'unknown'),
  implies: isSubset,
  disjoint: isDisjoint,
};
