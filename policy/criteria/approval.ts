// Whether somebody entitled to approve this access has done so.
import { truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';

export const approval: Criterion<boolean> = {
  key: 'approved',
  code: 'not-approved',
  truth: (want, { request }) =>
    request.approved === undefined ? UNKNOWN : truthOf(request.approved === want),
  need: (want) => (want ? 'an approval' : 'no approval'),
  have: (_want, { request }) =>
    request.approved === undefined ? 'unknown' : request.approved ? 'approved' : 'none',
  implies: (a, b) => a === b,
  disjoint: (a, b) => a !== b,
};
