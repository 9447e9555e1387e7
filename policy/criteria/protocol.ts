// HTTP or a plain TCP stream (SSH, databases): which kind of access a rule is about.
import { truthOf } from '../truth.ts';
import type { Criterion } from './criterion.ts';

export const protocol: Criterion<'http' | 'tcp'> = {
  key: 'protocol',
  code: 'wrong-protocol',
  truth: (want, facts) => truthOf(facts.request.target.protocol === want),
  need: (want) => want,
  have: (_want, { request }) => request.target.protocol,
  implies: (a, b) => a === b,
  disjoint: (a, b) => a !== b,
};
