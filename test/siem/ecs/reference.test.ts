// docs/events.md says what the code does, and the list of own fields holds nothing that is never emitted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownFields } from '#siem/ecs/own-fields';
import { reference } from './reference.ts';

test('docs/events.md is current', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/events.md'), 'utf8');
  assert.equal(page, reference(), 'run: node test/siem/ecs/write-reference.ts');
});

test('every own field is emitted by some full example', () => {
  const page = reference();
  // These belong to variants of which the examples show the other one.
  const variants = new Set(['sallyport.decision.obligations', 'sallyport.decision.remedy.at']);
  const missing = ownFields.filter(({ name }) => !variants.has(name) && !page.includes(`| \`${name}\` |`));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
  );
});
