// `sallyport policy promote`: puts one shadow rule in force, changing nothing else in the document.
import { chmodSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar, parseDocument } from 'yaml';
import { formatProblems, nearest } from '#policy/document';
import { readPolicy } from '#policy/read';
import { EXIT } from '../../exit.ts';
import { readOptions } from '../../usage.ts';
import { printJson, type ReadPolicy, readText, wrongUsage } from './files.ts';

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
  const text = readText('promote', file);
  const reading = text === undefined ? undefined : readDocumentOf(text, file);
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
  const after = readPolicy(promoted, file);
  if (!after.ok || after.failures.length > 0) {
    process.stderr.write(`${formatProblems(after.ok ? after.failures : after.problems)}\n`);
    return EXIT.no;
  }
  const expected = rules.map((rule, at) => (at === index ? { ...rule, mode: undefined } : rule));
  if (!isDeepStrictEqual(plain({ ...reading.document, rules: expected }), plain(after.document))) {
    process.stderr.write(
      `sallyport policy promote: ${file} writes the \`mode\` of ${id} in a way that cannot be taken out alone; change it by hand\n`,
    );
    return EXIT.no;
  }
  if (write) replaceFile(file, promoted);
  if (json) printJson({ rule: id, hash: after.policy.hash, written: write });
  else if (write) process.stdout.write(`${id} is in force in ${file}\n`);
  else process.stdout.write(promoted);
  return EXIT.ok;
}

function readDocumentOf(text: string, file: string): ReadPolicy | undefined {
  const reading = readPolicy(text, file);
  if (reading.ok) return reading;
  process.stderr.write(`${formatProblems(reading.problems)}\n`);
  return undefined;
}

/** What a document says, without keys that say nothing. */
function plain(document: unknown): unknown {
  return JSON.parse(JSON.stringify(document));
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
  const rest = /^[ \t]*(#[^\n]*)?(\r?\n|$)/.exec(after);
  if (isMap(rule) && rule.flow !== true) {
    if (indent !== null && rest !== null)
      return `${before.slice(0, indent.index)}\n${after.slice(rest[0].length)}`;
    // First key of its list item: what is on the next line, a comment too, moves up beside the dash.
    return before + after.replace(/^[ \t]*(#[^\n]*)?\r?\n\s*/, '');
  }
  if (/^\s*,/.test(after)) return before + after.replace(/^\s*,\s*/, '');
  return before.replace(/,\s*$/, '') + after;
}

/** In one step, with the same mode, and what a link points to rather than the link: a gateway may be watching the file. */
function replaceFile(file: string, text: string): void {
  const target = realpathSync(file);
  const next = `${target}.${process.pid}.next`;
  const { mode } = statSync(target);
  try {
    writeFileSync(next, text, { mode: 0o600, flag: 'wx' });
    chmodSync(next, mode & 0o7777);
    renameSync(next, target);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}
