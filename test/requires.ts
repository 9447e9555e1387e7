// Says whether the programs a suite needs are on this machine, so that a skip is visible and never an empty pass.
import { accessSync, constants, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/** Debian keeps daemons out of an ordinary user's PATH. */
const BEYOND_PATH = ['/usr/sbin', '/usr/local/sbin', '/sbin'];

/** Where `program` (a name, or a path with `*`) lies: on PATH or among the system's daemons; or undefined. */
export function findProgram(program: string): string | undefined {
  if (program.includes('/')) return globSync(program)[0];
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), ...BEYOND_PATH]) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined;
}

/** For the `skip` option of node:test: false when every program (or path) is here, else the reason. */
export function requires(...programs: readonly string[]): false | string {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  return missing.length === 0 ? false : `skipped: ${missing.join(', ')} not found, run npm run test:deps`;
}
