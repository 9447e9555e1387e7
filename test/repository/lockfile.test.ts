// The lock file is whole: npm ci refuses one that leaves out another platform's optional packages, and an
// incremental npm install on a machine that has only its own platform's drops them without a word.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

interface Locked {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../..');
const lock: { packages: Readonly<Record<string, Locked>> } = JSON.parse(
  readFileSync(join(root, 'package-lock.json'), 'utf8'),
);

/** Where Node would find `name` from `path`: nested first, then further up. */
function found(path: string, name: string): boolean {
  for (let at = path; ; at = parentOf(at)) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (lock.packages[candidate] !== undefined) return true;
    if (at === '') return false;
  }
}

/** `node_modules/a/node_modules/b` is looked for from `node_modules/a` next, then from the root. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/')));
}

test('every dependency of every locked package is locked, those of other platforms too', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !found(path, name))
      .map((name) => `${path || 'package.json'} wants ${name}`),
  );
  assert.deepEqual(missing, []);
});
