// What OpenSearch must know before events come: the same as Elasticsearch, in its own words where they differ. It has
// neither Elasticsearch's life cycles nor its built-in mappings for ECS.
import { ownMappings, PIPELINE, type SetupOptions, type SetupRequest } from './elasticsearch-setup.ts';

const IGNORE_ABOVE = 1024;
const STREAMS = 'logs-sallyport.*-*';
const DATE = { type: 'date' };

/** Needs the index management plugin, which full distributions have. */
export const ISM_POLICY = '/_plugins/_ism/policies/sallyport-logs';

/** In the order in which they must be made; the life cycle is made apart, since repeating it takes its version. */
export function opensearchRequests(): SetupRequest[] {
  return [
    { path: '/_component_template/sallyport@ecs', body: { template: { mappings: ecsMappings() } } },
    {
      path: '/_component_template/sallyport@mappings',
      body: { template: { mappings: { properties: { sallyport: { properties: ownMappings() } } } } },
    },
    PIPELINE,
    {
      path: '/_component_template/sallyport@settings',
      body: { template: { settings: { 'index.final_pipeline': 'sallyport@ingested' } } },
    },
    {
      path: '/_index_template/logs-sallyport',
      body: {
        index_patterns: [STREAMS],
        data_stream: {},
        priority: 250,
        composed_of: ['sallyport@ecs', 'sallyport@mappings', 'sallyport@settings'],
        _meta: { description: 'Events of Sallyport gateways' },
      },
    },
  ];
}

/** Text that looks like a date must not become one: the first client to send such a text would choose the mapping. */
function ecsMappings(): Readonly<Record<string, unknown>> {
  return {
    date_detection: false,
    properties: {
      '@timestamp': DATE,
      message: { type: 'match_only_text' },
      event: { properties: { start: DATE, end: DATE, ingested: DATE } },
    },
    dynamic_templates: [
      { addresses: { match: 'ip', match_mapping_type: 'string', mapping: { type: 'ip' } } },
      { words: { match_mapping_type: 'string', mapping: { type: 'keyword', ignore_above: IGNORE_ABOVE } } },
    ],
  };
}

/** Rolls over, and deletes after `keepDays`; takes hold of the data streams by itself. */
export function ismPolicy({ keepDays }: SetupOptions): Readonly<Record<string, unknown>> {
  const rollover = { min_primary_shard_size: '50gb', min_index_age: '30d' };
  const old = { state_name: 'delete', conditions: { min_rollover_age: `${keepDays}d` } };
  return {
    policy: {
      description: 'Events of Sallyport gateways',
      default_state: 'hot',
      states: [
        { name: 'hot', actions: [{ rollover }], transitions: [old] },
        { name: 'delete', actions: [{ delete: {} }], transitions: [] },
      ],
      ism_template: [{ index_patterns: [STREAMS], priority: 250 }],
    },
  };
}
