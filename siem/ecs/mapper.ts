// Turns an event into a valid ECS document. Everything the outbox, the sinks and the documentation say comes from here.
import type { EventKind, SallyportEvent } from '../event.ts';
import { accessEntries } from './access.ts';
import { attestationEntries } from './attestation.ts';
import { auditEntries } from './audit.ts';
import { authEntries } from './auth.ts';
import { changeEntries } from './change.ts';
import { connectorEntries } from './connector.ts';
import { deviceEntries } from './device.ts';
import {
  ECS_VERSION,
  type EcsDocument,
  encodeLine,
  type Fields,
  isoTime,
  type NumberedLine,
  nanoseconds,
} from './document.ts';
import { exchangeEntries } from './exchange.ts';
import { healthEntries } from './health.ts';
import { LineTemplates } from './line-templates.ts';
import type { Entries, Entry, Mapping } from './mapping.ts';
import { relatedFields } from './parts.ts';
import { pkiEntries } from './pki.ts';

/** Every kind of event there is. */
export const catalogue: Entries<EventKind> = {
  ...accessEntries,
  ...authEntries,
  ...exchangeEntries,
  ...connectorEntries,
  ...deviceEntries,
  ...attestationEntries,
  ...auditEntries,
  ...changeEntries,
  ...healthEntries,
  ...pkiEntries,
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
  readonly #decisions = new LineTemplates((event, id, time) => this.document(event, id, time));

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

  /** The record of an event, to be numbered by the outbox: what encodeLine makes of its document. */
  line(event: SallyportEvent, id: string, time: number): NumberedLine {
    if (event.kind === 'access-decided') return (sequence) => this.#decisions.line(event, id, time, sequence);
    const document = this.document(event, id, time);
    return (sequence) => {
      document.event.sequence = sequence;
      return encodeLine(document);
    };
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
