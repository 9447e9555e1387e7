// `sallyport policy promote`: puts one shadow rule in force, changing nothing else in the document.
import { renameSync, statSync, writeFileSync } from 'node:fs';
import { isMap, isScalar, parseDocument } from 'yaml';
import { formatProblems, nearest } from '#policy/document';
import { loadPolicy } from '#policy/load';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { openPolicy, printJson, readText, wrongUsage } from './files.ts';

export async function run(argv: readonly string[]): Promise<number> {
  const parsed = readOptions('policy promote', argv, {
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  if (parsed === undefined) return EXIT.usage;
  const [file, id, ...more] = parsed.positionals;
  const { write, json } = parsed.values;
  if (file === undefined || id === undefined || more.length > 0) {
    wrongUsage('promote', 'name one document and one rule');
    return EXIT.usage;
  }
  const reading = openPolicy('promote', file);
  const text = readText('promote', file);
  if (reading === undefined || text === undefined) return EXIT.usage;
  const { rules } = reading.document;
  const index = rules.findIndex((rule) => rule.id === id);
  if (rules[index]?.mode !== 'shadow') {
    const shadows = rules.filter(({ mode }) => mode === 'shadow').map((rule) => rule.id);
    const near = nearest(id, shadows);
    const hint =
      near === undefined ? `; shadow rules: ${shadows.join(', ') || 'none'}` : ` (did you mean \`${near}\`?)`;
    wrongUsage('promote', `\`${id}\` is no shadow rule of ${file}${hint}`);
    return EXIT.usage;
  }
  const promoted = withoutMode(text, index);
  const loading = loadPolicy(promoted, file);
  if (!loading.ok) {
    process.stderr.write(`${formatProblems(loading.problems)}\n`);
    return EXIT.no;
  }
  if (write) replaceFile(file, promoted);
  if (json) printJson({ rule: id, hash: loading.policy.hash, written: write });
  else if (write) process.stdout.write(`${id} is in force in ${file}\n`);
  else process.stdout.write(promoted);
  return EXIT.ok;
}

/** The text without the rule's `mode`: its line, or its part of a flow mapping with one of the commas around it. */
function withoutMode(text: string, index: number): string {
  const rule = parseDocument(text).getIn(['rules', index]);
  const pair = isMap(rule) ? rule.items.find(({ key }) => isScalar(key) && key.value === 'mode') : undefined;
  const from = isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
  const to = isScalar(pair?.value) ? pair.value.range?.[1] : undefined;
  if (from === undefined || to === undefined) return text;
  const [before, after] = [text.slice(0, from), text.slice(to)];
  const indent = /\n[ \t]*$/.exec(before);
  const rest = /^[ \t]*(#[^\n]*)?(\n|$)/.exec(after);
  if (isMap(rule) && rule.flow !== true) {
    if (indent !== null && rest !== null)
      return `${before.slice(0, indent.index)}\n${after.slice(rest[0].length)}`;
    // First key of its list item: the next key moves up beside the dash.
    return before + after.replace(/^\s*(#[^\n]*\n\s*)*/, '');
  }
  if (/^\s*,/.test(after)) return before + after.replace(/^\s*,\s*/, '');
  return before.replace(/,\s*$/, '') + after;
}

/** In one step, with the same mode: a gateway may be watching the file. */
function replaceFile(file: string, text: string): void {
  const next = `${file}.next`;
  writeFileSync(next, text, { mode: statSync(file).mode });
  renameSync(next, file);
}
