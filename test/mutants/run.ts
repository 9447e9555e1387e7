// Mutation testing: `npm run mutants -- [FILE or list ...] [--json] [--minutes N]` plants one mistake at a time in a copy
// of the repository, and the tests must catch it. Without a name it takes every simple slip in the files of named.ts; a
// list (`policy`) is mistakes picked by hand. A target whose tests fail without any mistake is refused.
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Change, Copy, changed, ROOT, testFiles } from './copy.ts';
import { lighter, named, env as namedEnv } from './named.ts';
import { slipsIn } from './operators.ts';

/** One mistake by hand. */
export interface Mutant extends Change {
  readonly name: string;
}

/** What a list of mistakes picked by hand exports. `tests`: files, or folders of them. */
export interface Target {
  readonly tests: readonly string[];
  readonly mutants: readonly Mutant[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A mistake ready to be planted: the whole file as it then reads. */
interface Planted {
  readonly name: string;
  readonly file: string;
  readonly source: string;
  readonly tests: readonly string[];
}

/** What came of the mistakes in one file. */
interface Outcome {
  planted: number;
  killed: number;
}

/** Milliseconds that a test file has without any mistake. */
const LONGEST = 180_000;
/** A mistake that makes a test this many times slower than it was, or hang, is caught too. */
const SLOWER = 8;
const LEAST_PATIENCE = 15_000;
/** Of the files of named.ts: the share of slips that must be caught. */
const SCORE = 0.9;

const { values, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, minutes: { type: 'string', default: 'Infinity' } },
});
const lists = names.filter(isList);
const files = named.filter(({ file }) => names.length === 0 || names.includes(file));
const unknown = names.filter((name) => !isList(name) && !named.some(({ file }) => file === name));
if (unknown.length > 0 || !(Number(values.minutes) > 0)) {
  console.error(`mutants: no list, no named file or no number of minutes: ${unknown.join(' ')}`);
  console.error(
    `Usage: npm run mutants -- [policy | attest | ${named.map(({ file }) => file).join(' | ')}] [--json] [--minutes N]`,
  );
  process.exit(2);
}
const until = performance.now() + Number(values.minutes) * 60_000;
let env: Readonly<Record<string, string>> = namedEnv;
const planted = files.flatMap(slipsOf);
for (const list of lists) planted.push(...(await picked(list)));

const copies = Array.from({ length: Math.min(2, availableParallelism()) }, () => new Copy(env, lighter));
process.once('exit', () => {
  for (const copy of copies) copy.remove();
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** What each test file takes without a mistake, in milliseconds: the quick ones are tried first. */
const durations = new Map<string, number>();
await together([...new Set(planted.flatMap(({ tests }) => tests))], async (file, copy) => {
  // The first time pays for the compiler.
  for (let round = 0; round < 2; round += 1) {
    const before = performance.now();
    if (!(await copy.passes(file, LONGEST))) {
      console.error(`a test fails without any mistake planted: ${file}; nothing can be measured`);
      process.exit(2);
    }
    durations.set(file, performance.now() - before);
  }
});

const survivors: string[] = [];
const untried: string[] = [];
const outcomes = new Map<string, Outcome>();
await together(planted, async (mutant, copy) => {
  const name = `${mutant.file}:${mutant.name}`;
  const outcome = outcomes.get(mutant.file) ?? { planted: 0, killed: 0 };
  outcomes.set(mutant.file, outcome);
  outcome.planted += 1;
  if (performance.now() > until) {
    untried.push(name);
    return;
  }
  const catcher = await catching(copy, mutant);
  if (catcher === undefined) survivors.push(name);
  else outcome.killed += 1;
  console.log(catcher === undefined ? `SURVIVED ${name}` : `killed   ${name}  (${catcher})`);
});

const total = planted.length;
const killed = total - survivors.length - untried.length;
/** What was not tried counts as not caught. */
const score = Math.floor((killed / total) * 1000) / 1000;
for (const [file, outcome] of [...outcomes].sort()) {
  console.log(`${String(outcome.killed).padStart(5)} of ${String(outcome.planted).padStart(4)}  ${file}`);
}
console.log(`${killed} of ${total} killed, ${untried.length} not tried, score ${score}`);
if (values.json) {
  const { node = '', v8 = '' } = process.versions;
  const figures = {
    ...{ score, killed, total, untried: untried.length, survivors: survivors.sort() },
    files: Object.fromEntries([...outcomes].sort()),
  };
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? arch()}, ${platform()}`;
  console.log(JSON.stringify({ name: 'mutants', machine, versions: { node, v8 }, figures }));
}
const held = lists.length > 0 ? killed === total : score >= SCORE;
process.exit(held ? 0 : 1);

function isList(name: string): boolean {
  return (
    /^[a-z]+$/.test(name) &&
    !['run', 'named', 'operators', 'copy'].includes(name) &&
    existsSync(join(import.meta.dirname, `${name}.ts`))
  );
}

/** Every slip in one named file. */
function slipsOf({ file, tests }: (typeof named)[number]): Planted[] {
  const source = readFileSync(join(ROOT, file), 'utf8');
  return slipsIn(source).map(({ from, to, text, name }) => ({
    ...{ name, file, tests },
    source: source.slice(0, from) + text + source.slice(to),
  }));
}

async function picked(list: string): Promise<Planted[]> {
  const target = (await import(`./${list}.ts`)) as Target;
  env = { ...env, ...target.env };
  const tests = testFiles(target.tests);
  return target.mutants.map((mutant) => ({
    ...{ name: ` ${mutant.name}`, file: mutant.file, tests },
    source: changed(mutant),
  }));
}

/** Works through a list, as many at a time as there are copies. */
async function together<T>(list: readonly T[], work: (one: T, copy: Copy) => Promise<void>): Promise<void> {
  const queue = list.values();
  await Promise.all(
    copies.map(async (copy) => {
      for (const one of queue) await work(one, copy);
    }),
  );
}

/** The test file that caught the mistake, or undefined. */
function catching(copy: Copy, { file, source, tests }: Planted): Promise<string | undefined> {
  const took = (test: string): number => durations.get(test) ?? 0;
  return copy.planted(file, source, async () => {
    for (const test of tests.toSorted((a, b) => took(a) - took(b))) {
      if (!(await copy.passes(test, Math.max(LEAST_PATIENCE, took(test) * SLOWER)))) return test;
    }
    return undefined;
  });
}
