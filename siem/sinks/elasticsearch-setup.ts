// What Elasticsearch must know before events come: how long they stay, and how their fields are indexed.
import { type OwnField, ownFields } from '../ecs/own-fields.ts';

export interface SetupRequest {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface SetupOptions {
  /** Days after which events are deleted. */
  readonly keepDays: number;
}

interface Mapping {
  [name: string]: unknown;
}

/** Keyword values longer than this are kept and not indexed: an attacker chooses how long a path is. */
const IGNORE_ABOVE = 1024;

export const PIPELINE: SetupRequest = {
  path: '/_ingest/pipeline/sallyport@ingested',
  body: {
    description: 'Notes when an event came, so that detections see those that an outage held up',
    processors: [{ set: { field: 'event.ingested', value: '{{{_ingest.timestamp}}}' } }],
  },
};

/** In the order in which they must be made: later ones name earlier ones. Repeating them changes nothing. */
export function setupRequests({ keepDays }: SetupOptions): SetupRequest[] {
  return [
    {
      path: '/_ilm/policy/sallyport-logs',
      body: {
        policy: {
          phases: {
            hot: { actions: { rollover: { max_primary_shard_size: '50gb', max_age: '30d' } } },
            delete: { min_age: `${keepDays}d`, actions: { delete: {} } },
          },
        },
      },
    },
    {
      path: '/_component_template/sallyport@mappings',
      body: { template: { mappings: { properties: { sallyport: { properties: ownMappings() } } } } },
    },
    PIPELINE,
    {
      path: '/_component_template/sallyport@settings',
      body: {
        template: {
          settings: {
            'index.lifecycle.name': 'sallyport-logs',
            'index.final_pipeline': 'sallyport@ingested',
          },
        },
      },
    },
    {
      path: '/_index_template/logs-sallyport',
      body: {
        index_patterns: ['logs-sallyport.*-*'],
        data_stream: {},
        // Above the built-in template for logs-*-*, whose parts it goes on using; ecs@mappings knows every ECS field.
        priority: 250,
        composed_of: [
          'logs@mappings',
          'logs@settings',
          'ecs@mappings',
          'sallyport@mappings',
          'sallyport@settings',
        ],
        _meta: { description: 'Events of Sallyport gateways' },
      },
    },
  ];
}

/** Mappings of everything below `sallyport`; what is not listed is kept and not indexed. */
export function ownMappings(): Mapping {
  const root: Mapping = {};
  for (const field of ownFields) put(root, field.name.split('.').slice(1), mappingOf(field));
  return root;
}

function mappingOf(field: OwnField): Mapping {
  if (field.type === 'text') return { type: 'match_only_text' };
  if (field.type !== 'object') return simple(field.type);
  const properties: Mapping = {};
  for (const [name, type] of Object.entries(field.searchable ?? {}))
    put(properties, name.split('.'), simple(type));
  // New members must not become fields by themselves: inputs grow with versions, and mappings have a limit.
  return { type: 'object', dynamic: false, properties };
}

function simple(type: string): Mapping {
  return type === 'keyword' ? { type, ignore_above: IGNORE_ABOVE } : { type };
}

function put(into: Mapping, [name = '', ...rest]: readonly string[], mapping: Mapping): void {
  if (rest.length === 0) {
    into[name] = mapping;
    return;
  }
  into[name] ??= { properties: {} };
  put((into[name] as { properties: Mapping }).properties, rest, mapping);
}
