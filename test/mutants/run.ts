// Mutation testing by hand-picked mistakes: `npm run mutants -- <target> [--json]`. Each is planted in a copy of the
// repository and must be caught by the target's tests. The live tree is never touched, and a target whose tests
// fail without any mistake is refused.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

/** One mistake: the text it replaces must stand exactly once in the file. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What a file in this folder exports. Stages of test files are tried in turn until one catches the mistake. */
export interface Target {
  readonly stages: readonly (readonly string[])[];
  readonly mutants: readonly Mutant[];
  readonly env?: Readonly<Record<string, string>>;
}

const ROOT = resolve(import.meta.dirname, '../..');
/** A mistake that makes the tests hang is caught too. */
const TIMEOUT = 180_000;
const LEFT_OUT = new Set(['node_modules', '.git', 'dist', '.sallyport', 'screenshots']);

const [name] = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const json = process.argv.includes('--json');
if (name === undefined || !/^[a-z-]+$/.test(name) || name === 'run') {
  console.error(
    'usage: npm run mutants -- <target> [--json], where test/mutants/<target>.ts lists the mistakes',
  );
  process.exit(2);
}
const { stages, mutants, env = {} } = (await import(`./${name}.ts`)) as Target;
const copy = mkdtempSync(join(tmpdir(), `mutants-${name}-`));
process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
cpSync(ROOT, copy, { recursive: true, filter: (source) => !LEFT_OUT.has(basename(source)) });
symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));

for (const stage of stages) {
  if (!(await passes(stage))) {
    console.error(`the tests fail without any mistake planted: ${stage.join(' ')}; nothing can be measured`);
    process.exit(2);
  }
}
const survivors: string[] = [];
const caughtBy: Record<string, number> = {};
for (const mutant of mutants) {
  const catcher = await catching(mutant);
  if (catcher === undefined) survivors.push(mutant.name);
  else caughtBy[catcher] = (caughtBy[catcher] ?? 0) + 1;
  console.log(
    `${catcher === undefined ? 'SURVIVED' : 'killed  '} ${mutant.name}${catcher === undefined ? '' : `  (${catcher})`}`,
  );
}
console.log(`${mutants.length - survivors.length} of ${mutants.length} killed; ${JSON.stringify(caughtBy)}`);
if (json) {
  const { node = '', v8 = '' } = process.versions;
  const figures = { killed: mutants.length - survivors.length, total: mutants.length, survivors };
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? arch()}, ${platform()}`;
  console.log(JSON.stringify({ name: `mutants-${name}`, machine, versions: { node, v8 }, figures }));
}
process.exitCode = survivors.length === 0 ? 0 : 1;

/** The first test file of the stage that caught the mistake, or undefined. */
async function catching({ file, find, replace }: Mutant): Promise<string | undefined> {
  const path = join(copy, file);
  const original = readFileSync(path, 'utf8');
  if (original.split(find).length !== 2) {
    console.error(`${file} does not hold exactly once: ${find}`);
    process.exit(2);
  }
  writeFileSync(
    path,
    original.replace(find, () => replace),
  );
  try {
    for (const stage of stages) if (!(await passes(stage))) return stage[0];
    return undefined;
  } finally {
    writeFileSync(path, original);
  }
}

function passes(stage: readonly string[]): Promise<boolean> {
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
