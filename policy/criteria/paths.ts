// Path patterns of a REST route. The path is the one that will be forwarded, byte for byte; one that is not in
// canonical form is an unknown fact.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { type PathPattern, patternFault } from '../net/path.ts';
import { MET, type Truth, UNKNOWN, UNMET } from '../truth.ts';
import type { Criterion } from './criterion.ts';

export const pathSchema: z.ZodString = z
  .string()
  .max(2048)
  .regex(/^\//, 'a path pattern starts with `/`')
  .superRefine((text, context) => {
    const fault = text.startsWith('/') ? patternFault(text) : undefined;
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `\`${text}\`: ${fault}` });
  });

export const paths: Criterion<readonly PathPattern[]> = {
  key: 'paths',
  code: 'wrong-path',
  truth(want: readonly PathPattern[], facts: Facts): Truth {
    const path = facts.canonicalPath();
    if (path === undefined) return UNKNOWN;
    for (const pattern of want) {
      if (pattern.matches(pattern.folded ? facts.foldedPath() : path)) return MET;
    }
    return UNMET;
  },
  need: (want) => want.map(({ text }) => text).join(', '),
  have: (_want, { request }) => request.target.path ?? 'unknown',
  implies: (a, b) => a.every((pattern) => b.some((other) => other.covers(pattern))),
  disjoint: () => false,
};
