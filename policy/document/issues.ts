// Puts zod's issues into words for the person who wrote the document: what was found, what is possible
// there, and what was probably meant. It must name each mistake once, however many union branches failed.
import type { z } from 'zod';
import { nearest } from './nearest.ts';
import type { Path } from './parse.ts';

/** One issue, still without a position. `atKey`: the key is at fault, not the value. */
export interface Wording {
  readonly path: Path;
  readonly atKey: boolean;
  readonly message: string;
  readonly suggestion?: string | undefined;
}

type Issue = z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/** Words for all issues of one validation of `value` by `schema`. */
export function problemsOf(issues: readonly Issue[], schema: Schema, value: unknown): Wording[] {
  return issues.flatMap((issue) => word(issue, [], schema, value));
}

function word(issue: Issue, base: Path, root: Schema, document: unknown): Wording[] {
  const path = [...base, ...(issue.path as (string | number)[])];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, path, schemasAt(root, path)));
    case 'invalid_union':
      return union(issue, path, root, document);
    case 'invalid_key': {
      const reason = issue.issues[0]?.message ?? 'not a valid name';
      return [
        { path, atKey: true, message: `the name \`${String(path.at(-1))}\` cannot be used: ${reason}` },
      ];
    }
    case 'invalid_value': {
      const found = valueAt(document, path);
      if (found === undefined) return [missing(path)];
      const values = issue.values.map(String);
      if (typeof found === 'string' && issue.values.some((one) => one !== found && String(one) === found))
        return [{ path, atKey: false, message: `expected ${found} without quotes, found a text` }];
      const message = `${shown(found)} is not possible here; expected ${listed(values)}`;
      return [{ path, atKey: false, message, suggestion: nearest(String(found), values) }];
    }
    case 'invalid_type': {
      const found = valueAt(document, path);
      if (found === undefined) return [missing(path)];
      // A secret written where `{ file: … }` belongs is the mistake that must not be repeated on a terminal.
      const what = issue.expected === 'object' && typeof found === 'string' ? 'a text' : shown(found);
      // A schema with words of its own for a wrong type says more than the type's name.
      const own = issue.message.startsWith('Invalid input') ? undefined : issue.message;
      const message = own ?? `expected ${noun(issue.expected)}, found ${what}`;
      return [{ path, atKey: false, message }];
    }
    default:
      return [{ path, atKey: false, message: issue.message }];
  }
}

/** A key nobody knows here: mistyped, put at the wrong level, or neither. */
function unknownKey(key: string, path: Path, schemas: readonly Schema[]): Wording {
  const known = keysOf(schemas);
  const suggestion = nearest(key, known);
  const place = { path: [...path, key], atKey: true, suggestion };
  if (suggestion !== undefined) return { ...place, message: `unknown key \`${key}\`` };
  const home = known.find((name) =>
    keysOf(schemas.flatMap((schema) => inside(schema, name)).flatMap(openList)).includes(key),
  );
  if (home !== undefined) return { ...place, message: `the key \`${key}\` belongs under \`${home}\`` };
  const all = known.length > 0 ? `; possible here: ${known.join(', ')}` : '';
  return { ...place, message: `unknown key \`${key}\`${all}` };
}

/** A union failed: speak of the branch the author was nearest to, or of the kinds of value possible. */
function union(issue: z.core.$ZodIssueInvalidUnion, path: Path, root: Schema, document: unknown): Wording[] {
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const apt = branches.filter((branch) => !branch.some((inner) => isRootType(inner)));
  if (apt.length > 0) {
    const best = apt.reduce((a, b) => (weight(b) < weight(a) ? b : a));
    const reworded = best.flatMap((inner) => word(inner, path, root, document));
    return distinct(reworded);
  }
  const found = valueAt(document, path);
  if (found === undefined) return [missing(path)];
  const kinds = new Set(branches.flat().filter(isRootType).map(expected));
  const message =
    kinds.size === 0 ? issue.message : `expected ${listed([...kinds], false)}, found ${shown(found)}`;
  return [{ path, atKey: false, message }];
}

/** Deep mistakes mean the author was on the right branch; a wrong literal at the root means the opposite. */
function weight(branch: readonly Issue[]): number {
  return branch.reduce((sum, issue) => sum + (issue.path.length === 0 ? 10 : 1), 0);
}

function isRootType(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_type') return true;
  return issue.code === 'invalid_union' && issue.errors.flat().every(isRootType);
}

function expected(issue: Issue): string {
  return issue.code === 'invalid_type' ? noun(issue.expected) : 'another kind of value';
}

function distinct(wordings: Wording[]): Wording[] {
  const seen = new Set<string>();
  return wordings.filter(({ path, message }) => {
    const id = JSON.stringify([path, message]);
    return !seen.has(id) && Boolean(seen.add(id));
  });
}

function missing(path: Path): Wording {
  return { path, atKey: true, message: `the key \`${String(path.at(-1) ?? 'version')}\` is missing` };
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  null: 'nothing',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'text',
};

function noun(type: string): string {
  return NOUNS[type] ?? type;
}

/** What stands in the document, short enough for one line of a report. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? `\`${value}\`` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function listed(words: readonly string[], quoted = true): string {
  const shownWords = quoted ? words.map((one) => `\`${one}\``) : words;
  const last = shownWords.at(-1) ?? '';
  return shownWords.length < 2 ? last : `${shownWords.slice(0, -1).join(', ')} or ${last}`;
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

/** The schemas that could apply at `path`: several where a union leaves it open. */
function schemasAt(root: Schema, path: Path): Schema[] {
  let current = open(root);
  for (const part of path) {
    current = current.flatMap((schema) => inside(schema, part)).flatMap(open);
  }
  return current;
}

/** Looks through wrappers and unions to objects, lists and scalars. */
function open(schema: Schema): Schema[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
    case 'catch':
      return open(def.innerType);
    case 'lazy':
      return open(def.getter());
    case 'pipe':
      return open(def.in);
    case 'union':
      return def.options.flatMap((option) => open(option));
    case 'intersection':
      return [...open(def.left), ...open(def.right)];
    default:
      return [schema];
  }
}

/** Like `open`, and into the elements of a list. */
function openList(schema: Schema): Schema[] {
  return open(schema).flatMap((one) => {
    const { def } = (one as z.core.$ZodTypes)._zod;
    return def.type === 'array' ? open(def.element) : [one];
  });
}

function inside(schema: Schema, part: string | number): Schema[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'array') return [def.element];
  if (def.type === 'record') return [def.valueType];
  if (def.type === 'object' && Object.hasOwn(def.shape, part)) {
    const inner = def.shape[String(part)];
    return inner === undefined ? [] : [inner];
  }
  return [];
}

function keysOf(schemas: readonly Schema[]): string[] {
  const keys = schemas.flatMap((schema) => {
    const { def } = (schema as z.core.$ZodTypes)._zod;
    return def.type === 'object' ? Object.keys(def.shape) : [];
  });
  return [...new Set(keys)];
}
