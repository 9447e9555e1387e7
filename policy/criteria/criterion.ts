// What every criterion offers: its truth for the evaluator, words for the explanation, and set relations for
// the analyses. A criterion must be a pure function of the facts and must never decide what unknown means.
import type { Facts } from '../facts.ts';
import type { Truth } from '../truth.ts';

/** `W` is what a rule wants, compiled. */
export interface Criterion<W> {
  /** The key in the document, as `Unmet.criterion` shows it. */
  readonly key: string;
  /** Stable code when the fact is known and not what is asked. */
  readonly code: string;
  truth(want: W, facts: Facts): Truth;
  /** What the rule asks, for an admin. */
  need(want: W): string;
  /** What the request has, for an admin. */
  have(want: W, facts: Facts): string;
  /** Whether every known fact that meets `a` meets `b` too. May say false when it cannot tell. */
  implies(a: W, b: W): boolean;
  /** Whether no known fact can meet both. May say false when it cannot tell. */
  disjoint(a: W, b: W): boolean;
}
