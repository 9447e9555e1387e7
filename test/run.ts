// Runs the test suites with node:test: all of them, or only the folders named (`npm test -- policy story`).
import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const here = import.meta.dirname;
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const flags = process.argv.slice(2).filter((argument) => argument.startsWith('-'));

/** Test files below `name` (a folder of test/, or one test file), sorted so that runs are repeatable. */
function filesOf(name: string): string[] {
  const path = resolve(here, name);
  if (path.endsWith('.test.ts') && existsSync(path)) return [path];
  return globSync('**/*.test.ts', { cwd: path })
    .map((file) => join(path, file))
    .sort();
}

const files = (names.length > 0 ? names : ['.']).flatMap(filesOf);
if (files.length === 0) {
  console.error(
    `no test file below test/ for: ${names.join(' ')}. Folders: ${globSync('*/', { cwd: here }).join(' ')}`,
  );
  process.exit(2);
}
const child = spawn(process.execPath, ['--test', '--test-concurrency=2', ...flags, ...files], {
  stdio: 'inherit',
  cwd: dirname(here),
});
child.once('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
