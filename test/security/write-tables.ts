// Writes docs/security/: runs every test that the tables name, or those of the files given (`story/secrets.test.ts`), and
// puts down which of them passed; of the others the page keeps what it says.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from 'node:test';
import { filesNamed, missing, pageFile, type Shown, standardsPage, weaknessPage } from './tables.ts';

const lacking = missing();
if (lacking.length > 0) {
  console.error(`no such test:\n  ${lacking.join('\n  ')}`);
  process.exit(1);
}
type Result = 'passes' | 'FAILS' | 'skipped';
const results = new Map<string, Result>();
// Steps of a story are made in a file of their own: their names alone say which they are.
const note = (name: string, file: string | undefined, result: Result): void => {
  results.set(`${file?.slice(join(import.meta.dirname, '..').length + 1)} ${name}`, result);
  if (results.get(name) !== 'FAILS') results.set(name, result);
};
const chosen = process.argv.slice(2);
const wanted = filesNamed().filter((file) => chosen.length === 0 || chosen.includes(file));
const files = wanted.map((file) => join(import.meta.dirname, '..', file));
const stream = run({ files, concurrency: 2, timeout: 600_000 });
stream.on('test:pass', ({ name, file, skip }) => note(name, file, skip === undefined ? 'passes' : 'skipped'));
stream.on('test:fail', ({ name, file }) => note(name, file, 'FAILS'));
for await (const _ of stream);

const before = existsSync(pageFile('peer-weaknesses.md'))
  ? readFileSync(pageFile('peer-weaknesses.md'), 'utf8')
  : '';
const resultOf = ({ file, test }: Shown): string => {
  if (wanted.includes(file)) return results.get(`${file} ${test}`) ?? results.get(test) ?? 'not run';
  const line = before.split('\n').find((row) => row.includes(`| ${test} ([${file}]`));
  return line?.split(' | ').at(-1)?.replace(/ \|$/, '') ?? 'not run';
};
mkdirSync(dirname(pageFile('x')), { recursive: true });
writeFileSync(pageFile('peer-weaknesses.md'), weaknessPage(resultOf));
writeFileSync(pageFile('standards.md'), standardsPage());
const wrong = [...results].filter(([, result]) => result === 'FAILS');
console.log(
  `${results.size} tests run, ${wrong.length} failed${wrong.map(([name]) => `\n  ${name}`).join('')}`,
);
process.exit(wrong.length === 0 ? 0 : 1);
