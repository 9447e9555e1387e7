// Who asks: people, services, roles and groups a rule names. Membership was resolved when the subject was
// prepared, so that a decision is a few bit tests whatever the nesting of groups.
import type { Facts } from '../facts.ts';
import type { Directory } from '../subject/directory.ts';
import { MET, type Truth, UNMET } from '../truth.ts';
import type { Criterion } from './criterion.ts';

/** Selectors by their bit in the subject's set. */
export interface Who {
  readonly names: readonly string[];
  /** Parallel arrays: word and mask of each selector. */
  readonly words: readonly number[];
  readonly masks: readonly number[];
  /** Knows which selectors lie inside which others. */
  readonly directory: Directory;
}

export const who: Criterion<Who> = {
  key: 'who',
  code: 'not-in-group',
  truth(want: Who, facts: Facts): Truth {
    const { words, masks } = want;
    const { selectors } = facts;
    for (let index = 0; index < words.length; index += 1) {
      if (((selectors[words[index] ?? 0] ?? 0) & (masks[index] ?? 0)) !== 0) return MET;
    }
    return UNMET;
  },
  need: (want) => want.names.join(', '),
  have(_want, { request }) {
    const { kind, id, groups, roles } = request.subject;
    return [`${kind}:${id}`, ...groups, ...roles.map((role) => `role:${role}`)].join(', ');
  },
  implies: (a, b) => a.names.every((inner) => b.names.some((outer) => a.directory.includes(outer, inner))),
  disjoint: () => false,
};
