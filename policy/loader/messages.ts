// What the loading worker and its owner say to each other: plain data, rules in batches that the owner asks for
// one by one, so that no single message keeps its event loop busy.
import type { Problem } from '../document.ts';
import type { Definitions, RuleDocument } from '../language/document.ts';

/** What the worker is started with. */
export interface Task {
  readonly text: string;
  readonly file: string;
}

export type FromWorker =
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'accepted';
      readonly definitions: Definitions;
      readonly apps: readonly string[];
      readonly hash: string;
      readonly warnings: readonly Problem[];
    }
  /** An empty batch is the last one. */
  | { readonly kind: 'rules'; readonly rules: readonly RuleDocument[] };

/** The owner's only message: the next batch, please. */
export type ToWorker = 'next';

/** Rules compiled at a time: less than a millisecond of work. */
export const BATCH = 50;
