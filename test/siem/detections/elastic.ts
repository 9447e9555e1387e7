// Judges events by Elastic's detection rules, as far as our own use their languages: KQL, EQL sequences, ES|QL.
import type { ElasticRule } from '#siem/detections/elastic';
import { type Row, sumOf, truth, words } from './expression.ts';
import { type Document, timeOf, valuesOf } from './scene.ts';
import { milliseconds } from './sigma.ts';

interface Fields {
  readonly type: string;
  readonly query: string;
  readonly from: string;
  readonly threshold?: { field: string[]; value: number; cardinality?: { field: string; value: number }[] };
  readonly new_terms_fields?: string[];
  readonly history_window_start?: string;
}

/** Whether a run of the rule at `at` makes an alert. */
export function elasticFires(rule: ElasticRule, documents: readonly Document[], at: number): boolean {
  const fields = rule as unknown as Fields;
  const since = at - milliseconds(fields.from.slice('now-'.length));
  const seen = documents.filter((one) => timeOf(one) <= at && timeOf(one) > since);
  switch (fields.type) {
    case 'query':
      return matching(fields.query, seen, at).length > 0;
    case 'threshold':
      return crosses(fields, matching(fields.query, seen, at));
    case 'new_terms':
      return isNew(fields, documents, since, at);
    case 'eql':
      return hasSequence(fields.query, seen, at);
    case 'esql':
      return rowsOf(fields.query, seen, at).length > 0;
    default:
      throw new Error(`the type ${fields.type} is not known here`);
  }
}

function matching(query: string, documents: readonly Document[], at: number): Document[] {
  return documents.filter((document) => truth(query, lookIn(document), at));
}

function lookIn(document: Document): Row {
  return (field) => valuesOf(document, field);
}

function grouped(documents: readonly Document[], by: readonly string[]): Document[][] {
  const groups = new Map<string, Document[]>();
  for (const document of documents) {
    const values = by.map((field) => valuesOf(document, field));
    if (values.some((one) => one.length === 0)) continue;
    const key = JSON.stringify(values);
    groups.set(key, [...(groups.get(key) ?? []), document]);
  }
  return [...groups.values()];
}

function crosses({ threshold }: Fields, documents: readonly Document[]): boolean {
  if (threshold === undefined) throw new Error('a threshold rule without threshold');
  return grouped(documents, threshold.field).some((group) => {
    const different = (threshold.cardinality ?? []).every(
      ({ field, value }) => new Set(group.flatMap((one) => valuesOf(one, field))).size >= value,
    );
    return group.length >= threshold.value && different;
  });
}

function isNew(rule: Fields, documents: readonly Document[], since: number, at: number): boolean {
  const { new_terms_fields: by = [], history_window_start: start = '' } = rule;
  const oldest = at - milliseconds(start.slice('now-'.length));
  const found = matching(rule.query, documents, at).filter(
    (one) => timeOf(one) > oldest && timeOf(one) <= at,
  );
  return grouped(found, by).some((group) => group.every((one) => timeOf(one) > since));
}

/** `sequence by a, b with maxspan=10m [any where …] with runs=3 [any where …]`. */
function hasSequence(query: string, documents: readonly Document[], at: number): boolean {
  const head = /^sequence by (?<by>[\w., ]+) with maxspan=(?<span>\w+)\s/.exec(query)?.groups;
  if (head?.['by'] === undefined || head['span'] === undefined) throw new Error(`cannot read ${query}`);
  const span = milliseconds(head['span']);
  const steps = [
    ...query.matchAll(/\[any where (?<condition>[^\]]+)\](?: with runs=(?<runs>\d+))?/g),
  ].flatMap(({ groups }) => Array<string>(Number(groups?.['runs'] ?? 1)).fill(groups?.['condition'] ?? ''));
  return grouped(documents, head['by'].split(', ')).some((group) =>
    group.some((_, start) => follows(group.slice(start), steps, span, at)),
  );
}

function follows(
  documents: readonly Document[],
  steps: readonly string[],
  span: number,
  at: number,
): boolean {
  const [first] = documents;
  let next = 0;
  for (const document of documents) {
    if (first === undefined || timeOf(document) - timeOf(first) > span) return false;
    if (truth(steps[next] ?? '', lookIn(document), at)) next += 1;
    if (next === steps.length) return true;
  }
  return false;
}

type Table = readonly ReadonlyMap<string, unknown>[];

/** What is left at the end of an ES|QL query's pipe. */
function rowsOf(query: string, documents: readonly Document[], at: number): Table | readonly Document[] {
  const [source = '', ...stages] = query.split('\n').map((line) => line.replace(/^\s*\|\s*/, ''));
  const dataset = /^FROM logs-(?<pattern>[\w.]+)(?:-\*|\*)/.exec(source)?.groups?.['pattern'];
  if (dataset === undefined) throw new Error(`cannot read ${source}`);
  let rows: Row[] = documents
    .filter((one) => String(valuesOf(one, 'event.dataset')[0]).startsWith(dataset.replace(/\*$/, '')))
    .map(lookIn);
  for (const stage of stages) {
    const [, verb = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(stage) ?? [];
    if (verb === 'WHERE') rows = rows.filter((row) => truth(rest, row, at));
    else if (verb === 'EVAL') rows = rows.map((row) => withColumn(row, rest, at));
    else if (verb === 'STATS') rows = statistics(rows, rest);
    else if (verb !== 'KEEP') throw new Error(`ES|QL's ${verb} is not known here`);
  }
  return rows.map(() => new Map());
}

function withColumn(row: Row, assignment: string, at: number): Row {
  const [name = '', formula = ''] = assignment.split(/ = (.*)/);
  const value = sumOf(words(formula), row, at);
  return (field) => (field === name ? [value] : row(field));
}

function statistics(rows: readonly Row[], text: string): Row[] {
  const [columns = '', by = ''] = text.split(' BY ');
  const groups = Map.groupBy(rows, (row) => JSON.stringify(row(by)));
  return [...groups].map(([key, group]) => {
    const values = new Map<string, unknown[]>([[by, JSON.parse(key)]]);
    for (const column of columns.split(', ')) {
      const [, name = '', how = '', field = ''] = /^(\w+) = (\w+)\((.*)\)$/.exec(column) ?? [];
      const numbers = group.flatMap((row) => row(field)).map((one) => comparable(one));
      const results: Record<string, () => number> = {
        COUNT: () => group.length,
        MIN: () => Math.min(...numbers),
        MAX: () => Math.max(...numbers),
      };
      const result = results[how];
      if (result === undefined) throw new Error(`ES|QL's ${how} is not known here`);
      values.set(name, [result()]);
    }
    return (field: string) => values.get(field) ?? [];
  });
}

function comparable(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : Number(value);
}
