// Holds the table of programs to the suites: each names what it needs, and the table names what somebody needs.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parts } from '../programs.ts';
import { findProgram, requires } from '../requires.ts';
import { tokensOf } from './specifiers.ts';

const folder = join(import.meta.dirname, '..');

/** Every text that stands in a test, by file. */
const texts = new Map(
  globSync('**/*.ts', { cwd: folder, exclude: ['programs.ts', 'repository/programs.test.ts'] }).map(
    (file) => [
      file,
      tokensOf(readFileSync(join(folder, file), 'utf8')).filter(({ type }) => type === 'string'),
    ],
  ),
);

test('a program that a suite asks for can be installed by test:deps', () => {
  const known = new Set(parts.map(({ program }) => program));
  const wrong = [...texts.keys()].flatMap((file) => {
    const tokens = tokensOf(readFileSync(join(folder, file), 'utf8'));
    return tokens.flatMap((token, index) => {
      if (token.text !== 'requires' || tokens[index + 1]?.text !== '(') return [];
      const end = tokens.findIndex((one, at) => at > index && one.text === ')');
      const asked = tokens.slice(index, end).filter(({ type }) => type === 'string');
      return asked.filter(({ text }) => !known.has(text)).map(({ text, line }) => `${file}:${line}: ${text}`);
    });
  });
  assert.deepEqual(wrong, [], 'add these to test/programs.ts');
});

test('a program in the table is named by a suite', () => {
  const shown = globSync('docs/**/*.md', { cwd: join(folder, '..') }).map((page) =>
    readFileSync(join(folder, '..', page), 'utf8'),
  );
  const unused = parts.filter(({ program }) => {
    const named = [...texts.values()]
      .flat()
      .some(({ text }) => text.split('/').at(-1) === program.split('/').at(-1));
    return !named && !shown.some((page) => new RegExp(`^${program} `, 'm').test(page));
  });
  assert.deepEqual(unused, []);
});

test('what is missing is named with the way to get it', () => {
  assert.equal(requires(), false);
  assert.equal(requires('sh', process.execPath), false);
  assert.equal(
    requires('sh', 'no-such-program', '/no/such/*/file'),
    'skipped: no-such-program, /no/such/*/file not found, run npm run test:deps',
  );
  assert.equal(findProgram(process.execPath.replace(/node$/, '*ode')), process.execPath);
});
