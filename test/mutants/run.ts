// Mutation testing: `npm run mutants -- [FILE or list ...] [--json]` plants one mistake at a time in a copy of the
// repository, and the tests must catch it. Without a name it takes every simple slip in the files of named.ts; a list
// (`policy`) is mistakes picked by hand. A target whose tests fail without any mistake is refused.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { named, env as namedEnv } from './named.ts';
import { slipsIn } from './operators.ts';

/** One mistake by hand: the text it replaces must stand exactly once in the file. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What a list of mistakes picked by hand exports. Stages of test files are tried in turn until one catches it. */
export interface Target {
  readonly stages: readonly (readonly string[])[];
  readonly mutants: readonly Mutant[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A mistake ready to be planted: the whole file as it then reads. */
interface Planted {
  readonly name: string;
  readonly file: string;
  readonly source: string;
  readonly stages: readonly (readonly string[])[];
}

const ROOT = resolve(import.meta.dirname, '../..');
/** A mistake that makes the tests hang is caught too. */
const TIMEOUT = 180_000;
/** Of the files of named.ts: the share of slips that must be caught. */
const SCORE = 0.9;
const LEFT_OUT = new Set(['node_modules', '.git', 'dist', '.sallyport', 'screenshots']);

const words = process.argv.slice(2);
const json = words.includes('--json');
const names = words.filter((word) => !word.startsWith('-'));
const lists = names.filter((name) => /^[a-z-]+$/.test(name));
const files = named.filter(({ file }) => lists.length === 0 && (names.length === 0 || names.includes(file)));
const unknown = names.filter((name) => !isList(name) && !named.some(({ file }) => file === name));
if (unknown.length > 0) {
  console.error(`mutants: no list and no named file: ${unknown.join(' ')}`);
  console.error(`Usage: npm run mutants -- [policy | ${named.map(({ file }) => file).join(' | ')}] [--json]`);
  process.exit(2);
}
let env: Readonly<Record<string, string>> = namedEnv;
const planted = files.flatMap(slipsOf);
for (const list of lists) planted.push(...(await picked(list)));

const copies = Array.from({ length: Math.min(2, availableParallelism()) }, copyOfRepository);
process.once('exit', () => {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

for (const stage of new Set(planted.flatMap(({ stages }) => stages.map((stage) => stage.join(' '))))) {
  if (!(await passes(copies[0] ?? '', stage.split(' ')))) {
    console.error(`the tests fail without any mistake planted: ${stage}; nothing can be measured`);
    process.exit(2);
  }
}

const survivors: string[] = [];
const queue = [...planted];
await Promise.all(
  copies.map(async (copy) => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const catcher = await catching(copy, mutant);
      const name = `${mutant.file}:${mutant.name}`;
      if (catcher === undefined) survivors.push(name);
      console.log(catcher === undefined ? `SURVIVED ${name}` : `killed   ${name}  (${catcher})`);
    }
  }),
);
const total = planted.length;
const score = Math.floor(((total - survivors.length) / total) * 1000) / 1000;
console.log(`${total - survivors.length} of ${total} killed, score ${score}`);
if (json) {
  const { node = '', v8 = '' } = process.versions;
  const figures = { score, killed: total - survivors.length, total, survivors: survivors.sort() };
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? arch()}, ${platform()}`;
  console.log(JSON.stringify({ name: 'mutants', machine, versions: { node, v8 }, figures }));
}
process.exitCode = lists.length > 0 ? Math.min(survivors.length, 1) : score >= SCORE ? 0 : 1;

function isList(name: string): boolean {
  return (
    /^[a-z-]+$/.test(name) &&
    !['run', 'named', 'operators'].includes(name) &&
    existsSync(join(import.meta.dirname, `${name}.ts`))
  );
}

/** Every slip in one named file. */
function slipsOf({ file, stages }: (typeof named)[number]): Planted[] {
  const source = readFileSync(join(ROOT, file), 'utf8');
  return slipsIn(source).map(({ from, to, text, name }) => ({
    ...{ name, file, stages },
    source: source.slice(0, from) + text + source.slice(to),
  }));
}

async function picked(list: string): Promise<Planted[]> {
  const target = (await import(`./${list}.ts`)) as Target;
  env = { ...env, ...target.env };
  return target.mutants.map(({ name, file, find, replace }) => {
    const original = readFileSync(join(ROOT, file), 'utf8');
    if (original.split(find).length !== 2) {
      console.error(`${file} does not hold exactly once: ${find}`);
      process.exit(2);
    }
    return {
      ...{ name: ` ${name}`, file, stages: target.stages },
      source: original.replace(find, () => replace),
    };
  });
}

function copyOfRepository(): string {
  const copy = mkdtempSync(join(tmpdir(), 'mutants-'));
  cpSync(ROOT, copy, { recursive: true, filter: (source) => !LEFT_OUT.has(basename(source)) });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** The first test file of the stage that caught the mistake, or undefined. */
async function catching(copy: string, { file, source, stages }: Planted): Promise<string | undefined> {
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, source);
  try {
    for (const stage of stages) if (!(await passes(copy, stage))) return stage[0];
    return undefined;
  } finally {
    writeFileSync(path, original);
  }
}

function passes(copy: string, stage: readonly string[]): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['test/run.ts', ...stage], {
      cwd: copy,
      stdio: 'ignore',
      detached: true,
      env: { ...process.env, ...env },
    });
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, TIMEOUT);
    child.once('exit', (code) => {
      clearTimeout(timer);
      done(code === 0);
    });
  });
}
