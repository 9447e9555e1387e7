// A scene for a detection: what happened when, turned into documents by the mapper that the gateway uses.
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import type { SallyportEvent } from '#siem/event';
import { uuid7Generator } from '#siem/uuid7';

export type Document = Readonly<Record<string, unknown>>;

/** Seconds after 09:00 UTC; `lost`: it was numbered, and never arrived. */
export interface Step {
  readonly after: number;
  readonly event: SallyportEvent;
  readonly lost?: boolean;
}

export interface Scene {
  readonly says: string;
  readonly steps: readonly Step[];
  /** Seconds after 09:00 at which the rule runs; at the last step if it does not say. */
  readonly at?: number;
}

const START = Date.parse('2026-03-04T09:00:00.000Z');
const mapper = new Mapper({ id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' });

/** Each document as a receiver reads it, in order. */
export function documentsOf(scene: Scene): Document[] {
  return scene.steps.flatMap(({ after, event, lost }, index) => {
    const time = START + after * 1000;
    const document = mapper.document(event, uuid7Generator(() => time)(), time);
    document.event.sequence = index + 1;
    return lost === true ? [] : [JSON.parse(encodeLine(document)) as Document];
  });
}

export function runsAt({ steps, at }: Scene): number {
  return START + (at ?? Math.max(...steps.map(({ after }) => after))) * 1000;
}

export function timeOf(document: Document): number {
  return Date.parse(String(document['@timestamp']));
}

/** Values below a dotted path, through lists, as Elasticsearch sees them; empty if there are none. */
export function valuesOf(document: unknown, path: string): unknown[] {
  let values: unknown[] = [document];
  for (const name of path.split('.')) {
    values = values
      .flatMap((value) => (typeof value === 'object' && value !== null ? [(value as Document)[name]] : []))
      .flat()
      .filter((value) => value !== undefined && value !== null);
  }
  return values;
}

/** What must set a detection off, and what looks alike and must not. */
export interface Scenes {
  readonly fires: readonly Scene[];
  readonly quiet: readonly Scene[];
}
