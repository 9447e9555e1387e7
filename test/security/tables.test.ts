// The pages of docs/security/ say what their sources say, and name tests that are there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { missing, pageFile, standardsPage, weaknesses, weaknessPage } from './tables.ts';

const MAKE = 'run: node test/security/write-tables.ts';

test('every test that a table names is there', () => {
  assert.deepEqual(missing(), []);
});

test('the page of weaknesses is up to date, and every test on it passed', () => {
  const page = readFileSync(pageFile('peer-weaknesses.md'), 'utf8');
  assert.equal(
    page,
    weaknessPage(() => 'passes'),
    MAKE,
  );
});

test('the page of standards is up to date', () => {
  assert.equal(readFileSync(pageFile('standards.md'), 'utf8'), standardsPage(), MAKE);
});

test('each weakness has one way of being shown', () => {
  const unclear = weaknesses().flatMap(({ weaknesses: rows }) =>
    rows
      .filter(({ test: name, cannot }) => (name === undefined) === (cannot === undefined))
      .map(({ what }) => what),
  );
  assert.deepEqual(unclear, []);
});
