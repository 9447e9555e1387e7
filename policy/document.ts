// Reads a YAML document against a zod schema and reports every problem at once, each with its place in the
// file; it must never return a value that a problem was found in.
import { z } from 'zod';
import { problemsOf } from './document/issues.ts';
import { type Path, type Position, parseYaml } from './document/parse.ts';

/** One thing wrong with a document. Lines and columns count from 1, as editors do. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in the structure: `rules[3].when.mfa`; empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** The known word nearest to what was written, when one is near. */
  readonly suggestion?: string;
}

/** A validated document, or everything that is wrong with it. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T; locate(path: Path): Position; locateKey(path: Path): Position }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** No document may be larger; 10,000 rules take about a fifth of it. */
export const MAX_DOCUMENT_BYTES: number = 16 * 1024 * 1024;
/** A report stops here: what follows is most often the same mistake again. */
const MAX_PROBLEMS = 200;

/** Validates `text` against `schema`. Never throws for bad input; `file` only names the document in reports. */
export function readDocument<T>(schema: z.ZodType<T>, text: string, file: string): Reading<T> {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DOCUMENT_BYTES) {
    const message = `the document has ${bytes} bytes; the limit is ${MAX_DOCUMENT_BYTES}`;
    return { ok: false, problems: [{ file, line: 1, column: 1, path: '', message }] };
  }
  const source = parseYaml(text);
  const found: Omit<Problem, 'file'>[] = source.faults.map(({ at, path, message }) => ({
    ...at,
    path: formatPath(path),
    message,
  }));
  if (source.wellFormed) {
    const result = schema.safeParse(source.value);
    if (result.success && found.length === 0) {
      return { ok: true, value: result.data, locate: source.locate, locateKey: source.locateKey };
    }
    if (!result.success) {
      for (const issue of problemsOf(result.error.issues, schema, source.value)) {
        const at = issue.atKey ? source.locateKey(issue.path) : source.locate(issue.path);
        found.push({
          ...at,
          path: formatPath(issue.path),
          message: issue.message,
          ...suggest(issue.suggestion),
        });
      }
    }
  }
  return { ok: false, problems: capped(found.map((problem) => ({ file, ...problem }))) };
}

/** One line per problem: ``policy.yaml:3:5: unknown key `alow` (did you mean `allow`?)``. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems
    .map(({ file, line, column, message, suggestion }) => {
      const hint = suggestion === undefined ? '' : ` (did you mean \`${suggestion}\`?)`;
      return `${file}:${line}:${column}: ${message}${hint}`;
    })
    .join('\n');
}

/** The JSON Schema of what may be written in the document, for editors to complete and check with. */
export function jsonSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'input', target: 'draft-7', reused: 'ref' }) as Record<string, unknown>;
}

/** `rules[3].when.mfa`; a key that is not a plain word is quoted. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[\w-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

function suggest(suggestion: string | undefined): { suggestion?: string } {
  return suggestion === undefined ? {} : { suggestion };
}

/** In the order of the file, at most `MAX_PROBLEMS` of them, the last one saying how many were left out. */
export function capped(problems: readonly Problem[]): Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const last = sorted[MAX_PROBLEMS];
  if (last === undefined) return sorted;
  const message = `and ${sorted.length - MAX_PROBLEMS} more problems from here on`;
  const { file, line, column } = last;
  return [...sorted.slice(0, MAX_PROBLEMS), { file, line, column, path: '', message }];
}

export { nearest } from './document/nearest.ts';
export type { Path, Position } from './document/parse.ts';
