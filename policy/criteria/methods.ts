// HTTP methods. They are case-sensitive (RFC 9110 section 9.1): a method that is not in upper case is no known
// method, so that `post` can neither use an allow for POST nor slip past a deny of it.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { isDisjoint, isSubset, listed } from './sets.ts';

const METHOD = /^[A-Z][A-Z-]{0,31}$/;

export const methodSchema: z.ZodString = z
  .string()
  .regex(METHOD, 'a method is written in upper case, like `GET`');

export const methods: Criterion<ReadonlySet<string>> = {
  key: 'methods',
  code: 'wrong-method',
  truth(want: ReadonlySet<string>, facts: Facts): Truth {
    const method = facts.request.target.method;
    if (method === undefined) return UNKNOWN;
    if (want.has(method)) return truthOf(true);
    return METHOD.test(method) ? truthOf(false) : UNKNOWN;
  },
  need: (want) => listed(want),
  have: (_want, { request }) => request.target.method ?? 'unknown',
  implies: isSubset,
  disjoint: isDisjoint,
};
