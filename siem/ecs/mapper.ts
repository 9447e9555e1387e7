// Turns an event into a valid ECS document. Everything the outbox, the sinks and the documentation say comes from here.
import type { EventKind, SallyportEvent } from '../event.ts';
import { accessEntries } from './access.ts';
import { attestationEntries } from './attestation.ts';
import { auditEntries } from './audit.ts';
import { authEntries } from './auth.ts';
import { connectorEntries } from './connector.ts';
import { deviceEntries } from './device.ts';
import { ECS_VERSION, type EcsDocument, type Fields, isoTime, nanoseconds } from './document.ts';
import { healthEntries } from './health.ts';
import type { Entries, Entry, Mapping, Related } from './mapping.ts';

/** Every kind of event there is. */
export const catalogue: Entries<EventKind> = {
  ...accessEntries,
  ...authEntries,
  ...connectorEntries,
  ...deviceEntries,
  ...attestationEntries,
  ...auditEntries,
  ...healthEntries,
};

/** Who records: the same in every document of one gateway. */
export interface Origin {
  /** Stable over restarts; sequences count per id. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly hostname: string;
}

/** Maps events of one gateway. `namespace` is that of the data streams: lower case, no `-`, at most 100 characters. */
export class Mapper {
  readonly #observer: Fields;
  readonly #gatewayId: string;
  readonly #namespace: string;

  constructor(origin: Origin, namespace = 'default') {
    this.#observer = {
      name: origin.name,
      hostname: origin.hostname,
      type: 'proxy',
      vendor: 'Sallyport',
      product: 'Sallyport',
      version: origin.version,
    };
    this.#gatewayId = origin.id;
    this.#namespace = namespace;
  }

  /** `time`: epoch milliseconds at which the event happened. The sequence is left 0 for the outbox to set. */
  document(event: SallyportEvent, id: string, time: number): EcsDocument {
    const entry = catalogue[event.kind] as Entry<EventKind>;
    const mapping = entry.map(event);
    const { fields, own } = mapping;
    return {
      '@timestamp': new Date(time).toISOString(),
      message: mapping.message,
      ecs: { version: ECS_VERSION },
      data_stream: { type: 'logs', dataset: entry.dataset, namespace: this.#namespace },
      event: eventFields(mapping, id, entry.dataset),
      observer: this.#observer,
      ...fields,
      related: relatedFields(mapping.related),
      sallyport: { ...own, gateway: { id: this.#gatewayId, ...(own?.['gateway'] as Fields | undefined) } },
    };
  }
}

function eventFields(mapping: Mapping, id: string, dataset: string): EcsDocument['event'] {
  return {
    id,
    sequence: 0,
    kind: mapping.kind ?? 'event',
    category: mapping.category,
    type: mapping.type,
    outcome: mapping.outcome,
    action: mapping.action,
    code: mapping.code,
    reason: mapping.reason,
    dataset,
    module: 'sallyport',
    provider: 'sallyport',
    severity: mapping.severity,
    risk_score: mapping.severity,
    start: isoTime(mapping.start),
    end: isoTime(mapping.end),
    duration: nanoseconds(mapping.durationMs),
  };
}

function relatedFields(related: Related | undefined): Fields | undefined {
  if (related === undefined) return undefined;
  const fields = {
    ip: distinct(related.ip),
    user: distinct(related.user),
    hosts: distinct(related.hosts),
    hash: distinct(related.hash),
  };
  return (fields.ip ?? fields.user ?? fields.hosts ?? fields.hash) ? fields : undefined;
}

function distinct(values: readonly (string | undefined)[] | undefined): string[] | undefined {
  if (values === undefined) return undefined;
  const kept: string[] = [];
  for (const value of values) {
    if (value !== undefined && value !== '' && !kept.includes(value)) kept.push(value);
  }
  return kept.length === 0 ? undefined : kept;
}
