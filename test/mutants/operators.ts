// Every mistake of a few simple kinds in a file: comparisons turned or shifted, conditions decided, checks and calls left
// out, numbers off by one. Comments, texts, expressions and types are left alone.

/** One mistake: these characters replaced. */
export interface Slip {
  readonly from: number;
  readonly to: number;
  readonly text: string;
  /** Line and what is done there, for people. */
  readonly name: string;
}

const SWAPS: readonly (readonly [pattern: RegExp, ...becomes: string[]])[] = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ < /g, ' <= ', ' >= '],
  [/ <= /g, ' < ', ' > '],
  [/ > /g, ' >= ', ' <= '],
  [/ >= /g, ' > ', ' < '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/(?<=[\s([])!(?=[\w(])/g, ''],
  [/(?<=(?:return|=|\(|,|=>|:|\?) )true\b/g, 'false'],
  [/(?<=(?:return|=|\(|,|=>|:|\?) )false\b/g, 'true'],
];

export function slipsIn(source: string): Slip[] {
  const code = codeOf(source);
  const slips: Slip[] = [];
  const add = (from: number, to: number, text: string): void => {
    const line = source.slice(0, from).split('\n').length;
    const was = source.slice(from, to).trim().replace(/\s+/g, ' ');
    slips.push({
      from,
      to,
      text,
      name: `${line}: ${was === '' ? '(nothing)' : was} -> ${text.trim() || '(nothing)'}`,
    });
  };
  for (const [pattern, ...becomes] of SWAPS) {
    for (const { index, 0: found } of code.matchAll(pattern))
      for (const text of becomes) add(index, index + found.length, text);
  }
  for (const { index, 0: digits } of code.matchAll(/(?<![\w.])\d[\d_]*(?![\w.])/g))
    add(index, index + digits.length, String(Number(digits.replaceAll('_', '')) + 1));
  for (const { index } of code.matchAll(/\bif \(/g)) {
    const [from, to] = [index + 4, closing(code, index + 3)];
    for (const text of ['true', 'false']) add(from, to, text);
  }
  // Calls for their effect alone, on a line of their own.
  for (const { index, 0: call } of code.matchAll(/^ +(?:await |void )?(?:this\.)?[\w#][\w.#]*\(.*\);$/gm))
    add(index, index + call.length, '');
  return slips.sort((a, b) => a.from - b.from);
}

/** Where the bracket that opens at `open` is closed. */
function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at += 1) {
    if (code[at] === '(') depth += 1;
    if (code[at] === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return code.length;
}

/** The source with everything blanked out that is no code: same length, same lines. */
function codeOf(source: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  return source
    .replace(
      /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|(?<=[(=:,!&|?{};\n]\s*|return )\/(?![/*])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g,
      blank,
    )
    .replace(/^import [^;]*;|^(?:export )?(?:interface|type) [\s\S]*?(?:^\}|;$)/gm, blank)
    .replace(/^ +readonly [^=\n]*;$/gm, blank);
}
