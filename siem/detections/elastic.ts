// Elastic's detection rules from the files in elastic/, complete and one a line, as Kibana imports them. A rule must
// never keep a placeholder: it would load, and never fire.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { threatOf } from './attack.ts';

/** What a file in elastic/ says. */
export interface RuleFile {
  readonly name: string;
  readonly rule_id: string;
  readonly description: string;
  readonly level: Level;
  /** `<tactic>/<technique>`. */
  readonly attack: readonly string[];
  readonly false_positives: readonly string[];
  /** How far back one run looks. */
  readonly window: string;
  /** How often it runs; 5m if it does not say. */
  readonly every?: string;
  readonly type: 'query' | 'threshold' | 'new_terms' | 'eql' | 'esql';
  readonly query: string;
  readonly threshold?: {
    readonly field: readonly string[];
    readonly value: number;
    readonly cardinality?: readonly { readonly field: string; readonly value: number }[];
  };
  readonly new_terms_fields?: readonly string[];
  readonly history_window_start?: string;
  /** What whoever gets the alert should look at first. */
  readonly note: string;
}

type Level = 'low' | 'medium' | 'high' | 'critical';

/** A rule as Kibana imports it. */
export type ElasticRule = Readonly<Record<string, unknown>> & { readonly rule_id: string };

const RISK: Readonly<Record<Level, number>> = { low: 21, medium: 47, high: 73, critical: 99 };
const LANGUAGE = {
  query: 'kuery',
  threshold: 'kuery',
  new_terms: 'kuery',
  eql: 'eql',
  esql: 'esql',
} as const;
const INDEX = 'logs-sallyport.*';

/** The rules by name of their file. `privilegedApps`: apps that new devices and countries matter for; none: all. */
export function elasticRules(privilegedApps: readonly string[]): Map<string, ElasticRule> {
  const directory = join(import.meta.dirname, 'elastic');
  const files = globSync('*.yml', { cwd: directory }).sort();
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      return [file.slice(0, -4), complete(parse(text) as RuleFile, privilegedApps)];
    }),
  );
}

function complete(file: RuleFile, privilegedApps: readonly string[]): ElasticRule {
  const { level, attack, window, every = '5m', type, query, ...rest } = file;
  return {
    ...rest,
    type,
    language: LANGUAGE[type],
    query: query.replaceAll('%privileged_apps%', anyOf(privilegedApps)),
    // An ES|QL query names its index itself.
    ...(type === 'esql' ? {} : { index: [INDEX] }),
    severity: level,
    risk_score: RISK[level],
    from: `now-${window}`,
    to: 'now',
    interval: every,
    // After an outage events come late: what counts is when they came, not when they happened.
    timestamp_override: 'event.ingested',
    threat: attack.map(threatOf),
    tags: ['Sallyport'],
    author: ['Sallyport'],
    license: 'Apache-2.0',
    references: [],
    max_signals: 100,
    enabled: true,
    version: 1,
  };
}

function anyOf(apps: readonly string[]): string {
  return apps.length === 0 ? '*' : `(${apps.map((app) => JSON.stringify(app)).join(' or ')})`;
}
