// The client's address in a named set of networks. It narrows access and never grants it alone: an address proves
// nothing about who sits behind it.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { cidrFault, type RangeSet } from '../net/ranges.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';

/** The networks a rule names, joined. */
export interface Network {
  readonly names: readonly string[];
  readonly ranges: RangeSet;
}

export const cidrSchema: z.ZodString = z.string().superRefine((text, context) => {
  const fault = cidrFault(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `\`${text}\`: ${fault}` });
});

export const network: Criterion<Network> = {
  key: 'network',
  code: 'outside-network',
  truth(want: Network, facts: Facts): Truth {
    const address = facts.address();
    return address.family === 0 ? UNKNOWN : truthOf(want.ranges.has(address));
  },
  need: (want) => want.names.join(' or '),
  have: (_want, { request }) => request.network.address,
  implies: (a, b) => b.ranges.covers(a.ranges),
  disjoint: (a, b) => !b.ranges.overlaps(a.ranges),
};
