// A connector killed in the middle, with another one there: told at once, nothing sent twice that may not be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killed } from './tunnel-killed.ts';

test('kill -9 of one of two connectors in the middle of requests', { timeout: 60_000 }, async (t) => {
  const { held, required, measured } = await killed(t);
  t.diagnostic(measured);
  assert.ok(held, `required: ${required}; measured: ${measured}`);
});
