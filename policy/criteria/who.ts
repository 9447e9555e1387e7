// Who asks: people, services, roles and groups a rule names. Membership was resolved when the subject was
// prepared, so that a decision is a few bit tests whatever the nesting of groups.
import type { Facts } from '../facts.ts';
import type { Directory } from '../subject/directory.ts';
import { MET, type Truth, UNMET } from '../truth.ts';
import type { Criterion } from './criterion.ts';

/** One selector's bit in a subject's set. */
export interface Bit {
  readonly word: number;
  readonly mask: number;
}

/** Selectors, of which one must be the subject's. The first stands apart, since most rules name only one. */
export interface Who extends Bit {
  readonly names: readonly string[];
  readonly others: readonly Bit[];
  /** Knows which selectors lie inside which others. */
  readonly directory: Directory;
}

export const who: Criterion<Who> = {
  key: 'who',
  code: 'not-in-group',
  truth: (want: Who, facts: Facts): Truth => (selects(want, facts.selectors) ? MET : UNMET),
  need: (want) => want.names.join(', '),
  have(_want, { request }) {
    const { kind, id, groups, roles } = request.subject;
    return [`${kind}:${id}`, ...groups, ...roles.map((role) => `role:${role}`)].join(', ');
  },
  implies: (a, b) => a.names.every((inner) => b.names.some((outer) => a.directory.includes(outer, inner))),
  disjoint: () => false,
};

/** Whether a subject with these selectors is one that `want` names. */
export function selects(want: Who, selectors: Uint32Array): boolean {
  if (((selectors[want.word] ?? 0) & want.mask) !== 0) return true;
  for (const { word, mask } of want.others) {
    if (((selectors[word] ?? 0) & mask) !== 0) return true;
  }
  return false;
}
