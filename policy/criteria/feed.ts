// Threat feeds that list the client's address. While feeds are not loaded the fact is unknown.
import type { Facts } from '../facts.ts';
import { type Truth, truthOf, UNKNOWN } from '../truth.ts';
import type { Criterion } from './criterion.ts';
import { holdsOneOf, isSubset, listed } from './sets.ts';

/** Listed by no feed, by any feed, or by one of these. */
export type Feed = 'none' | 'any' | ReadonlySet<string>;

export const feed: Criterion<Feed> = {
  key: 'feed',
  code: 'feed-mismatch',
  truth(want: Feed, { request }: Facts): Truth {
    const feeds = request.network.feeds;
    if (feeds === undefined) return UNKNOWN;
    if (want === 'none') return truthOf(feeds.length === 0);
    return truthOf(want === 'any' ? feeds.length > 0 : holdsOneOf(feeds, want));
  },
  need: (want) => (typeof want === 'string' ? `listed by ${want}` : `listed by one of ${listed(want)}`),
  have: (_want, { request }) =>
    request.network.feeds === undefined ? 'unknown' : `listed by ${listed(request.network.feeds)}`,
  implies(a, b) {
    if (typeof a === 'string' || typeof b === 'string') return a === b || (b === 'any' && a !== 'none');
    return isSubset(a, b);
  },
  disjoint: (a, b) => (a === 'none') !== (b === 'none'),
};
