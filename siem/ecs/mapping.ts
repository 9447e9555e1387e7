// What the mapper must say of each kind of event. A new kind is one interface in event.ts and one entry of this type.
import type { EventKind, EventOf } from '../event.ts';
import type { Dataset, Fields } from './document.ts';

/** Values other documents are found by. Empty and missing ones are left out. */
export interface Related {
  readonly ip?: readonly (string | undefined)[];
  readonly user?: readonly (string | undefined)[];
  readonly hosts?: readonly (string | undefined)[];
  readonly hash?: readonly (string | undefined)[];
}

/** Severities that Elastic's own rules use: low, medium, high, critical. */
export type Severity = 21 | 47 | 73 | 99;

/** One event in ECS words, before the envelope every document shares is added. */
export interface Mapping {
  /** ECS `event.*` beyond dataset, id and sequence. */
  readonly action: string;
  readonly kind?: 'event' | 'alert' | 'state' | 'metric';
  readonly category: readonly string[];
  readonly type: readonly string[];
  readonly outcome?: 'success' | 'failure' | 'unknown';
  readonly code?: string | undefined;
  readonly reason?: string | undefined;
  /** Only and always with kind `alert`; also the risk score. */
  readonly severity?: Severity;
  /** Epoch milliseconds. */
  readonly start?: number;
  readonly end?: number;
  readonly durationMs?: number;
  /** One sentence for people. */
  readonly message: string;
  /** Standard field sets. */
  readonly fields?: Fields;
  /** Fields below `sallyport.`. */
  readonly own?: Fields;
  readonly related?: Related;
}

export interface Entry<K extends EventKind> {
  /** When this kind is recorded; shown in the documentation. */
  readonly about: string;
  readonly dataset: Dataset;
  readonly map: (event: EventOf<K>) => Mapping;
}

/** One entry for every one of these kinds: leaving one out does not compile. */
export type Entries<K extends EventKind> = { readonly [Each in K]: Entry<Each> };
