// Reads which modules a TypeScript file names, by a small scanner (TypeScript 7 offers no parser to programs);
// it must never take a word in a comment, a text or a regular expression for an import.

/** `dynamic` is import(), also where it only names a type; `worker` is a URL next to the file. */
export type SpecifierKind = 'import' | 'type' | 'dynamic' | 'worker';

/** One module named in a file. */
export interface Specifier {
  readonly kind: SpecifierKind;
  /** As written: `#policy/x`, `./y.ts`, `node:fs`, `zod`; undefined when it is computed. */
  readonly text: string | undefined;
  readonly line: number;
}

type Token =
  | { readonly type: 'word' | 'sign'; readonly text: string; readonly line: number }
  | { readonly type: 'string'; readonly text: string; readonly line: number; readonly whole: boolean };

/** After these a slash begins a regular expression; after a name, number or closing bracket it divides. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'delete',
  'void',
  'throw',
  'yield',
  'await',
]);

const READ = new Map<string, readonly Token[]>();

/**
 * The file's words, signs and string literals in order, comments and regular expressions left out. Each text is read
 * once: planting a violation changes a file or two, and asks for the tokens of all of them again.
 */
export function tokensOf(source: string): readonly Token[] {
  const read = READ.get(source) ?? scan(source);
  READ.set(source, read);
  return read;
}

function scan(source: string): Token[] {
  const tokens: Token[] = [];
  const braces: ('block' | 'template')[] = [];
  let at = 0;
  let line = 1;
  const skip = (length: number): string => {
    const text = source.slice(at, at + length);
    line += text.split('\n').length - 1;
    at += length;
    return text;
  };
  const upTo = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    return skip((pattern.exec(source)?.[0] ?? source.slice(at)).length);
  };
  const templatePart = (): void => {
    const start = line;
    const text = upTo(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y);
    const ended = source[at] === '`';
    tokens.push({ type: 'string', text, line: start, whole: ended && braces.at(-1) !== 'template' });
    if (ended) skip(1);
    else {
      skip(2);
      braces.push('template');
    }
  };
  while (at < source.length) {
    const char = source[at] ?? '';
    const before = tokens.at(-1);
    if (source.startsWith('#!', at) && at === 0) upTo(/[^\n]*/y);
    else if (source.startsWith('//', at)) upTo(/[^\n]*/y);
    else if (source.startsWith('/*', at)) upTo(/\/\*[\s\S]*?\*\//y);
    else if (/\s/.test(char)) upTo(/\s+/y);
    else if (char === "'" || char === '"') {
      const start = line;
      const text = upTo(char === "'" ? /'(?:[^'\\\n]|\\[\s\S])*'?/y : /"(?:[^"\\\n]|\\[\s\S])*"?/y);
      tokens.push({ type: 'string', text: text.slice(1, -1), line: start, whole: true });
    } else if (char === '`') {
      skip(1);
      templatePart();
    } else if (char === '}' && braces.pop() === 'template') {
      skip(1);
      templatePart();
    } else if (char === '/' && beginsRegex(before)) {
      upTo(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y);
    } else if (/[\w$#@]/.test(char)) {
      tokens.push({ type: 'word', line, text: upTo(/[\w$#@]+/y) });
    } else {
      if (char === '{') braces.push('block');
      tokens.push({ type: 'sign', line, text: skip(1) });
    }
  }
  return tokens;
}

function beginsRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.type === 'string') return false;
  if (before.type === 'word') return BEFORE_REGEX.has(before.text);
  return before.text !== ')' && before.text !== ']' && before.text !== '}';
}

/** Every module that `source` names, in order. */
export function specifiersOf(source: string): Specifier[] {
  const tokens = tokensOf(source);
  const found: Specifier[] = [];
  const literal = (index: number): string | undefined => {
    const token = tokens[index];
    return token?.type === 'string' && token.whole ? token.text : undefined;
  };
  const is = (index: number, ...texts: readonly string[]): boolean =>
    texts.every((text, offset) => {
      const token = tokens[index + offset];
      return token !== undefined && token.type !== 'string' && token.text === text;
    });
  tokens.forEach((token, index) => {
    if (token.type !== 'word' || is(index - 1, '.')) return;
    const { line } = token;
    if (token.text === 'import' && is(index + 1, '(')) {
      found.push({ kind: 'dynamic', text: literal(index + 2), line });
    } else if ((token.text === 'import' || token.text === 'export') && !is(index + 1, '.')) {
      const text = staticTarget(tokens, index);
      if (text !== undefined) found.push({ kind: is(index + 1, 'type') ? 'type' : 'import', text, line });
    } else if (is(index, 'new', 'URL', '(') && literal(index + 3) !== undefined) {
      if (is(index + 4, ',', 'import', '.', 'meta', '.', 'url')) {
        found.push({ kind: 'worker', text: literal(index + 3), line });
      }
    }
  });
  return found;
}

/** The module of `import … from 'x'`, `import 'x'` or `export … from 'x'` that begins at `start`. */
function staticTarget(tokens: readonly Token[], start: number): string | undefined {
  const first = tokens[start + 1];
  if (first?.type === 'string' && tokens[start]?.text === 'import') return first.text;
  const exported = tokens[start]?.text === 'export';
  if (exported && !(first?.text === '{' || first?.text === '*' || first?.text === 'type')) return undefined;
  let depth = 0;
  for (let index = start + 1; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined || token.type === 'string') return undefined;
    if (token.text === '{') depth++;
    if (token.text === '}') depth--;
    // Only names, commas and braces stand between the keyword and `from`.
    if (token.type === 'sign' && !['{', '}', ',', '*'].includes(token.text)) return undefined;
    const next = tokens[index + 1];
    if (token.text === 'from' && depth === 0 && next?.type === 'string') return next.text;
  }
  return undefined;
}
