// Two gateways restarted one after the other under load: no GET fails.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requires } from '../requires.ts';
import { TWO_NEEDS } from '../story/two-gateways.ts';
import { rolling } from './tunnel-rolling.ts';

test('a rolling restart of two gateways fails no GET', {
  skip: requires(...TWO_NEEDS),
  timeout: 180_000,
}, async (t) => {
  const { held, required, measured } = await rolling(t, 1);
  t.diagnostic(measured);
  assert.ok(held, `required: ${required}; measured: ${measured}`);
});
