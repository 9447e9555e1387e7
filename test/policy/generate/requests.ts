// Generates requests at the edges of what rules ask: first one that a rule is satisfied with as far as possible,
// then a few pushes of single facts to where the answer changes. Purely random requests miss most mistakes.
import fc from 'fast-check';
import type { AccessRequest } from '#policy/input';
import { many, type WrittenPolicy } from '../reference/written.ts';
import { edgesOf } from './edges.ts';
import { pick, satisfy, satisfying } from './satisfy.ts';

/** Numbers from which a request is built for whatever policy it meets; small ones make simple requests. */
export interface Choices {
  readonly rule: number;
  readonly alternative: number;
  readonly lift: boolean;
  readonly pushes: readonly (readonly [number, number])[];
}

export const choices: fc.Arbitrary<Choices> = fc.record({
  rule: fc.nat(50),
  alternative: fc.nat(50),
  lift: fc.boolean(),
  pushes: fc.array(fc.tuple(fc.nat(500), fc.nat(500)), { maxLength: 3 }),
});

export function requestFor(
  policy: WrittenPolicy,
  { rule, alternative, lift, pushes }: Choices,
): AccessRequest {
  const target = pick(policy.rules, rule);
  const condition = pick([...many(target.when), {}], alternative);
  const draft = satisfying(target, condition, policy);
  const lifting = pick([...many(target.unless), {}], alternative);
  if (lift) satisfy(draft, lifting, policy);
  const edges = edgesOf(target, [condition, lifting], policy);
  for (const [dimension, edge] of pushes) pick(pick(edges, dimension), edge)(draft);
  return draft;
}
