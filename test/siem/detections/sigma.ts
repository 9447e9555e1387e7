// Judges events by Sigma rules, as far as our own use the language: plain selections, and correlations of them.
import { parseAllDocuments } from 'yaml';
import { type Document, timeOf, valuesOf } from './scene.ts';

type Wanted = string | number | boolean | null;

export interface SigmaRule {
  readonly title: string;
  readonly id: string;
  readonly name?: string;
  readonly status: string;
  readonly description: string;
  readonly level: string;
  readonly falsepositives: readonly string[];
  readonly tags?: readonly string[];
  readonly logsource?: { readonly product: string; readonly service?: string };
  readonly detection?: Readonly<Record<string, unknown>> & { readonly condition: string };
  readonly correlation?: {
    readonly type: 'event_count' | 'value_count' | 'temporal_ordered';
    readonly rules: readonly string[];
    readonly 'group-by': readonly string[];
    readonly timespan: string;
    readonly condition?: { readonly field?: string; readonly gte?: number; readonly lt?: number };
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function milliseconds(span: string): number {
  const unit = UNITS[span.slice(-1)];
  if (unit === undefined) throw new Error(`${span} is no timespan`);
  return Number(span.slice(0, -1)) * unit;
}

export function sigmaRules(text: string): SigmaRule[] {
  return parseAllDocuments(text).map((document) => document.toJS() as SigmaRule);
}

/** Whether the last rule of a file, the one that alerts, has fired by `at`. */
export function sigmaFires(rules: readonly SigmaRule[], documents: readonly Document[], at: number): boolean {
  const last = rules.at(-1);
  if (last === undefined) throw new Error('a file without a rule');
  return firings(last, rules, documents, at).length > 0;
}

/** The documents at which a rule fires. */
function firings(
  rule: SigmaRule,
  rules: readonly SigmaRule[],
  documents: readonly Document[],
  at: number,
): Document[] {
  if (rule.correlation === undefined) return documents.filter((document) => matches(rule, document));
  const { type, rules: names, 'group-by': by, timespan, condition = {} } = rule.correlation;
  const span = milliseconds(timespan);
  const parts = names.map((name) => {
    const part = rules.find((one) => one.name === name);
    if (part === undefined) throw new Error(`${name} is not in the file of ${rule.title}`);
    return firings(part, rules, documents, at);
  });
  const keyOf = (document: Document): string => JSON.stringify(by.map((field) => valuesOf(document, field)));
  const near = (one: Document, end: number, key: string): boolean =>
    keyOf(one) === key && timeOf(one) <= end && timeOf(one) > end - span;
  const [first = [], second = []] = parts;
  if (type === 'temporal_ordered') {
    return second.filter((one) =>
      first.some((before) => before !== one && near(before, timeOf(one), keyOf(one))),
    );
  }
  return first.filter((one) => {
    // Too few can only be told when the time is over; enough, at once.
    const end = condition.lt === undefined ? timeOf(one) : at;
    const window = first.filter((other) => near(other, end, keyOf(one)));
    const { field } = condition;
    const size =
      type === 'event_count'
        ? window.length
        : new Set(window.flatMap((other) => valuesOf(other, field ?? ''))).size;
    return (
      window.length > 0 && size >= (condition.gte ?? 0) && size < (condition.lt ?? Number.POSITIVE_INFINITY)
    );
  });
}

function matches({ logsource, detection }: SigmaRule, document: Document): boolean {
  if (detection === undefined || logsource?.product !== 'sallyport') return false;
  const { service } = logsource;
  if (service !== undefined && valuesOf(document, 'event.dataset')[0] !== `sallyport.${service}`)
    return false;
  const words = detection.condition.match(/\(|\)|[\w]+/g) ?? [];
  let position = 0;
  const term = (): boolean => {
    const word = words[position++] ?? '';
    if (word === 'not') return !term();
    if (word === '(') {
      const inner = either();
      position += 1;
      return inner;
    }
    if (!Object.hasOwn(detection, word)) throw new Error(`the condition names ${word}, which is not there`);
    return selected(detection[word] as Readonly<Record<string, unknown>>, document);
  };
  const both = (): boolean => {
    let value = term();
    while (words[position] === 'and') {
      position += 1;
      value = term() && value;
    }
    return value;
  };
  const either = (): boolean => {
    let value = both();
    while (words[position] === 'or') {
      position += 1;
      value = both() || value;
    }
    return value;
  };
  const value = either();
  if (position !== words.length) throw new Error(`cannot read the condition: ${detection.condition}`);
  return value;
}

function selected(selection: Readonly<Record<string, unknown>>, document: Document): boolean {
  return Object.entries(selection).every(([key, wanted]) => {
    const [field = '', modifier = 'is'] = key.split('|');
    const values = valuesOf(document, field);
    const any = [wanted].flat() as Wanted[];
    return any.some((one) => holds(modifier, values, one));
  });
}

function holds(modifier: string, values: readonly unknown[], wanted: Wanted): boolean {
  switch (modifier) {
    case 'is':
      return wanted === '*' ? values.length > 0 : values.includes(wanted);
    case 'exists':
      return values.length > 0 === wanted;
    case 'gt':
      return values.some((value) => Number(value) > Number(wanted));
    case 'hour':
      return values.some((value) => new Date(String(value)).getUTCHours() === wanted);
    default:
      throw new Error(`the modifier ${modifier} is not known here`);
  }
}
