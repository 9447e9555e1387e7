// A person's machine that is gone without a word: everything of theirs is closed within 30 seconds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { namespacesMissing, VANISH_NEEDS, vanish } from './tunnel-vanish.ts';

test('a person who vanished is noticed, idle or not', {
  skip: requires(...VANISH_NEEDS) || namespacesMissing(),
  timeout: 150_000,
}, async (t) => {
  const { held, required, measured } = await vanish();
  t.diagnostic(measured);
  assert.ok(held, `required: ${required}; measured: ${measured}`);
});
