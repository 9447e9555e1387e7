// Holds how the repository's files look: names, sizes, opening sentences, top level, and nothing private in them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOMS } from './graph.ts';

const root = join(import.meta.dirname, '../..');

/** What git holds or would add: never a build, a dependency or a local state. */
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const sources = files.filter(
  (file) => /\.(ts|js)$/.test(file) && ROOMS.some((room) => file.startsWith(`${room}/`)),
);

const textOf = (file: string): string => readFileSync(join(root, file), 'utf8');

test('each source file opens with one sentence on what it is for', () => {
  const wrong = sources.filter((file) => {
    const [first = '', second = ''] = textOf(file).split('\n');
    return !/^(\/\/|\/\*\*?) ?[\w`'"].{15}/.test(first.startsWith('#!') ? second : first);
  });
  assert.deepEqual(wrong, [], 'begin these with `// What it is for; what it must never do.`');
});

test('no file or folder has a name that says nothing', () => {
  const empty = /^(utils?|helpers?|common|managers?|misc|lib|shared)$/i;
  const wrong = sources.filter((file) =>
    file.split('/').some((part) =>
      part
        .replace(/(\.test)?\.\w+$/, '')
        .split('-')
        .some((word) => empty.test(word)),
    ),
  );
  assert.deepEqual(wrong, [], 'name these by what they hold');
});

test('files stay under 300 lines', () => {
  const long = sources.filter((file) => textOf(file).split('\n').length > 301);
  assert.deepEqual(long, [], 'split these');
});

test('the top level holds the rooms and the usual files only', () => {
  const folders = [...ROOMS, 'docs'];
  const known = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'compose.yaml',
    'Dockerfile',
    'LICENSE',
  ];
  const wrong = [...new Set(files.map((file) => file.split('/')[0] ?? ''))].filter(
    (entry) => !folders.includes(entry) && !known.includes(entry) && !/^\.|^[A-Z]+\.md$/.test(entry),
  );
  assert.deepEqual(wrong, []);
});

/** What would tie the repository to one machine or give something away. */
const PRIVATE: readonly (readonly [string, RegExp])[] = [
  ['a path of one machine', /(?<![\w.])\/(?:work|home\/\w+|Users\/\w+|root)\//],
  ['a private key', /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s*\n?[A-Za-z0-9+/=]{16}/],
  ['a signed token', /\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{16,}/],
  ['an access key', /\b(?:AKIA[A-Z0-9]{16}|gh[pousr]_\w{36}|npm_\w{36}|xox[abp]-[\w-]{10,})\b/],
  ['a package registry', /\bregistry\.[a-z]+js\.org|\bdeb\.debian\.org|\bindex\.crates\.io/],
];

test('no secret, machine path or package registry is committed', () => {
  const wrong = files
    .filter((file) => !/\.(png|jpg|ico|der|bin)$/.test(file) && file !== 'test/repository/files.test.ts')
    .flatMap((file) => {
      const text = textOf(file);
      return PRIVATE.filter(([, shape]) => shape.test(text)).map(([what, shape]) => {
        const line = text.slice(0, text.search(shape)).split('\n').length;
        return `${file}:${line}: ${what}`;
      });
    });
  assert.deepEqual(wrong, []);
  assert.ok(
    files.every((file) => !textOf(file).includes(`${homedir()}/`)),
    'a file names this home folder',
  );
});

test('package.json pins every package, declares install scripts, and the lock names no host', () => {
  const manifest: Record<string, Record<string, string>> = JSON.parse(textOf('package.json'));
  for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      assert.match(
        version,
        /^\d+\.\d+\.\d+(-[\w.]+)?$/,
        `${kind}: ${name} is not pinned: npm install --save-exact`,
      );
    }
  }
  assert.ok(Object.keys(manifest['dependencies'] ?? {}).length <= 15, 'at most 15 runtime dependencies');
  const lock: {
    packages: Record<string, { resolved?: string; hasInstallScript?: boolean; link?: boolean }>;
  } = JSON.parse(textOf('package-lock.json'));
  const allowed = Object.keys(manifest['allowScripts'] ?? {});
  for (const [path, { resolved, hasInstallScript }] of Object.entries(lock.packages)) {
    assert.equal(
      resolved,
      undefined,
      `${path}: npm config set omit-lockfile-registry-resolved true, lock again`,
    );
    const name = path.replace(/^.*node_modules\//, '');
    // Watching files is a mac's matter: npm leaves this one out everywhere else.
    if (hasInstallScript === true && name !== 'fsevents') {
      assert.ok(allowed.includes(name), `${name} runs an install script that allowScripts does not name`);
    }
  }
});

test('each decision has its page, with context, decision and consequences', () => {
  const pages = files.filter((file) => file.startsWith('docs/decisions/') && !file.endsWith('/README.md'));
  assert.ok(pages.length > 0);
  const index = textOf('docs/decisions/README.md');
  for (const page of pages) {
    const name = page.slice('docs/decisions/'.length);
    assert.match(name, /^\d{4}-[a-z0-9-]+\.md$/, page);
    const headings = textOf(page)
      .split('\n')
      .filter((line) => line.startsWith('#'));
    assert.match(headings[0] ?? '', /^# [A-Z`]/, `${page}: begin with a title that states the decision`);
    assert.deepEqual(headings.slice(1), ['## Context', '## Decision', '## Consequences'], page);
    assert.ok(index.includes(`(${name})`), `docs/decisions/README.md does not list ${name}`);
  }
  const numbers = pages.map((page) => page.slice('docs/decisions/'.length).slice(0, 4));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => String(index + 1).padStart(4, '0')),
    'numbers have a gap',
  );
});
