// Mistakes picked by hand still have a place in the code: a list that no longer fits says nothing of the tests.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mutants as attest, tests as attestTests } from './attest.ts';
import { changed, ROOT, testFiles } from './copy.ts';
import { named } from './named.ts';
import { mutants as policy, tests as policyTests } from './policy.ts';

for (const [list, mutants, tests] of [
  ['policy', policy, policyTests],
  ['attest', attest, attestTests],
] as const) {
  test(`each mistake of ${list} can be made`, () => {
    for (const mutant of mutants) assert.doesNotThrow(() => changed(mutant), mutant.name);
  });
  test(`each test of ${list} is there`, () => {
    for (const name of tests)
      assert.ok(
        testFiles([name]).some((file) => existsSync(join(ROOT, 'test', file))),
        name,
      );
  });
}

test('each file of the slips is there, and so are its tests', () => {
  for (const { file, tests } of named) {
    assert.ok(existsSync(join(ROOT, file)), file);
    for (const name of tests)
      assert.ok(
        testFiles([name]).some((one) => existsSync(join(ROOT, 'test', one))),
        name,
      );
  }
});
