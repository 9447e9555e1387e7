// Runs the test suites with node:test: all of them, or only the folders named (`npm test -- policy story`).
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/** Files at once, on two cores as on more: half of the time a file waits for processes, leases and refusals. */
const AT_ONCE = 3;

const here = import.meta.dirname;
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));

/**
 * Test files below `name`, sorted so that runs are repeatable: a folder of test/, one test file, or else whatever
 * folders and files go by that name further down.
 */
function filesOf(name: string): string[] {
  const path = resolve(here, name);
  if (path.endsWith('.test.ts') && existsSync(path)) return [path];
  if (!existsSync(path) && /^[\w-]+$/.test(name)) {
    return globSync([`**/${name}/**/*.test.ts`, `**/${name}*.test.ts`], { cwd: here })
      .map((file) => join(here, file))
      .sort();
  }
  return globSync('**/*.test.ts', { cwd: path })
    .map((file) => join(path, file))
    .sort();
}

/** One process of `group` that still lives: its number and what it runs. Empty where there is no /proc. */
function livingIn(group: number): { pid: number; command: string }[] {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // After the name in parentheses: state, parent, group. A zombie (Z) has ended already.
        const [state, , pgrp] = readFileSync(`/proc/${name}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        if (Number(pgrp) !== group || state === 'Z') return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command: command.slice(0, 120) }];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

/** Ends what a test left running: the group is ours alone, so nobody else's process can be in it. */
async function endStrays(group: number): Promise<void> {
  const strays = livingIn(group);
  for (const { pid, command } of strays) console.error(`left running by a test, stopped: ${pid} ${command}`);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (livingIn(group).length === 0) return;
    process.kill(-group, signal);
    for (let wait = 0; wait < 20 && livingIn(group).length > 0; wait++) await sleep(100);
  }
}

const chosen = names.length > 0 ? names : ['.'];
const empty = chosen.filter((name) => filesOf(name).length === 0);
if (empty.length > 0) {
  const folders = globSync('*/', { cwd: here }).sort().join(' ');
  console.error(`no test file below test/ for: ${empty.join(' ')}. Folders: ${folders}`);
  console.error('A flag takes its value after "=": npm test -- policy --test-name-pattern=deny');
  process.exit(2);
}
/**
 * Where this run keeps what it compiled: the suites start some thousand processes, most of which load the same sources,
 * and would spend half of their start on compiling them. Made for the run, so that it never outlives what it is from.
 */
const compiled = mkdtempSync(join(tmpdir(), 'sallyport-compiled-'));
const reporters = [
  ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ...[`--test-reporter=${join(here, 'skipped.ts')}`, '--test-reporter-destination=stderr'],
];
const child = spawn(
  process.execPath,
  [
    ...['--test', `--test-concurrency=${AT_ONCE}`, '--test-timeout=600000'],
    ...(flags.some((flag) => flag.startsWith('--test-reporter')) ? [] : reporters),
    ...flags,
    ...new Set(chosen.flatMap(filesOf)),
  ],
  // A group of its own, so that whatever tests start can be found and ended when they are done.
  {
    ...{ stdio: ['ignore', 'inherit', 'inherit'], cwd: dirname(here), detached: true },
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  },
);
const group = child.pid;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.once('exit', async (code, signal) => {
  if (group !== undefined) await endStrays(group);
  rmSync(compiled, { recursive: true, force: true });
  process.exit(signal === null ? (code ?? 1) : 1);
});
