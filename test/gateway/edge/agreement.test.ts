// The edge and the policy read paths with eyes of their own: what one lets pass is a known path to the other, and
// nothing else is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalTarget } from '#gateway/edge/target';
import { isCanonicalPath } from '#policy/net/path';

const PIECES = [
  ...[
    '/',
    '//',
    '.',
    '..',
    ';',
    '%',
    '%2',
    '%2E',
    '%2e',
    '%2F',
    '%5C',
    '%00',
    '%0A',
    '%7F',
    '%20',
    '%3B',
    '%3b',
    '%25',
  ],
  ...[
    '%C0%AE',
    '%c0%ae',
    '%E0%80%AF',
    '%F0%80%80%AE',
    '%F8%80%80%80%AE',
    '%FC%80%80%80%80%AF',
    '%C3%A9',
    '%E0%A4%85',
    '%F0%9F%98%80',
    '%41',
    '%4g',
    '%2541',
  ],
  ...[
    'a',
    'Z',
    '7',
    '-',
    '_',
    '~',
    '!',
    '$',
    '&',
    "'",
    '(',
    ')',
    '*',
    '+',
    ',',
    '=',
    ':',
    '@',
    '"',
    '<',
    '>',
    '[',
    ']',
  ],
  ...['^', '`', '{', '|', '}', '\\', ' ', '\t', '\x7f', 'ü', '\0'],
];

const path = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`);

test('what the edge lets pass is a known path to the policy', () => {
  fc.assert(
    fc.property(path, (text) => {
      const target = canonicalTarget(text, 'wiki.example.com');
      if (target.ok) assert.ok(isCanonicalPath(target.path), `${text} became ${target.path}`);
    }),
    { numRuns: 20_000 },
  );
});

test('what is a known path to the policy passes the edge unchanged', () => {
  fc.assert(
    fc.property(path, (text) => {
      if (!isCanonicalPath(text)) return;
      assert.deepEqual(canonicalTarget(text, 'wiki.example.com'), { ok: true, path: text, query: '' });
    }),
    { numRuns: 20_000 },
  );
});

test('the canonical form of a canonical form is itself', () => {
  fc.assert(
    fc.property(path, (text) => {
      const once = canonicalTarget(text, 'h');
      if (once.ok) assert.deepEqual(canonicalTarget(once.path, 'h'), once);
    }),
    { numRuns: 5_000 },
  );
});
