// Checks a document against the Elastic Common Schema as published in @elastic/ecs. What is not ECS must be ours.
import { isIP } from 'node:net';
import ecs from '@elastic/ecs';
import { ownFields } from '#siem/ecs/own-fields';

interface Field {
  readonly type: string;
  readonly normalize: readonly string[];
  readonly pattern?: string;
  readonly expected_values?: readonly string[];
  readonly allowed_values?: readonly {
    readonly name: string;
    readonly expected_event_types?: readonly string[];
  }[];
}

const flat = ecs.EcsFlat as unknown as Readonly<Record<string, Field>>;
const own = new Map(ownFields.map((field) => [field.name, field]));

/** Field sets with members, so that an empty or unknown object is noticed. */
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Every violation in one document, as `field: what is wrong`; empty for a valid one. */
export function violations(document: unknown): string[] {
  const found: string[] = [];
  walk(document, '', found);
  found.push(...categorisation(document as Categorised));
  return found;
}

function walk(value: unknown, path: string, found: string[]): void {
  if (path === '' || (isObject(value) && !isLeaf(path))) {
    if (!isObject(value)) found.push(`${path}: not an object`);
    else if (Object.keys(value).length === 0) found.push(`${path}: empty object`);
    else {
      for (const [name, member] of Object.entries(value)) {
        if (name.includes('.')) found.push(`${path}.${name}: dotted key`);
        walk(member, path === '' ? name : `${path}.${name}`, found);
      }
    }
    return;
  }
  if (path.startsWith('sallyport.')) checkOwn(value, path, found);
  else checkEcs(value, path, found);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLeaf(path: string): boolean {
  return own.has(path) || (flat[path] !== undefined && flat[path].type !== 'object');
}

function checkOwn(value: unknown, path: string, found: string[]): void {
  const field = own.get(path);
  if (field === undefined) {
    found.push(`${path}: not in the list of own fields`);
    return;
  }
  if (field.array !== Array.isArray(value)) found.push(`${path}: array is ${Array.isArray(value)}`);
  for (const one of Array.isArray(value) ? value : [value]) {
    if (field.type === 'object') {
      if (!isObject(one)) found.push(`${path}: not an object`);
    } else checkType(one, field.type, path, found);
  }
}

function checkEcs(value: unknown, path: string, found: string[]): void {
  const field = flat[path];
  if (field === undefined) {
    found.push(`${path}: not an ECS field`);
    return;
  }
  const array = field.normalize.includes('array');
  if (array !== Array.isArray(value))
    found.push(`${path}: array is ${Array.isArray(value)}, must be ${array}`);
  const values: unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) found.push(`${path}: empty array`);
  for (const one of values) {
    checkType(one, field.type, path, found);
    if (field.allowed_values && !field.allowed_values.some(({ name }) => name === one)) {
      found.push(`${path}: ${String(one)} is not allowed`);
    }
    if (field.expected_values && !field.expected_values.includes(String(one))) {
      found.push(`${path}: ${String(one)} is not expected`);
    }
    if (field.pattern && !new RegExp(field.pattern).test(String(one))) found.push(`${path}: pattern`);
  }
}

const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  constant_keyword: (value) => typeof value === 'string',
  wildcard: (value) => typeof value === 'string',
  match_only_text: (value) => typeof value === 'string',
  text: (value) => typeof value === 'string',
  date: (value) => typeof value === 'string' && ISO_DATE.test(value) && !Number.isNaN(Date.parse(value)),
  ip: (value) => typeof value === 'string' && isIP(value) !== 0 && !value.includes('%'),
  // Elasticsearch keeps 64 bits.
  long: (value) => Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 63,
  integer: (value) => Number.isInteger(value),
  float: (value) => Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
};

function checkType(value: unknown, type: string, path: string, found: string[]): void {
  const check = CHECKS[type];
  if (check === undefined) found.push(`${path}: no check for type ${type}`);
  else if (!check(value)) found.push(`${path}: ${JSON.stringify(value)} is no ${type}`);
}

interface Categorised {
  readonly event?: { readonly [name: string]: unknown };
}

/** Each type must be one that some category expects, and each category must have a type it expects. */
function categorisation({ event }: Categorised): string[] {
  if (event === undefined) return ['event: missing'];
  const { category, type, kind, severity, risk_score: risk } = event;
  const found: string[] = [];
  const types = type as readonly string[];
  const expected = (category as readonly string[]).map((name) => {
    const allowed = flat['event.category']?.allowed_values?.find((value) => value.name === name);
    return { name, types: allowed?.expected_event_types ?? [] };
  });
  for (const one of types) {
    if (!expected.some((each) => each.types.includes(one))) found.push(`event.type: ${one} fits no category`);
  }
  for (const one of expected) {
    if (!types.some((each) => one.types.includes(each)))
      found.push(`event.category: ${one.name} has no type`);
  }
  if (kind === 'signal') found.push('event.kind: signal belongs to the SIEM');
  if ((kind === 'alert') !== (severity !== undefined))
    found.push('event.severity: with alerts and only there');
  if (severity !== undefined && ![21, 47, 73, 99].includes(Number(severity)))
    found.push('event.severity: value');
  if (severity !== risk) found.push('event.risk_score: differs from severity');
  for (const name of ['id', 'sequence', 'kind', 'outcome', 'action', 'dataset', 'module', 'provider']) {
    if (event[name] === undefined) found.push(`event.${name}: missing`);
  }
  return found;
}
