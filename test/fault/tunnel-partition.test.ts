// The line between gateway and connector goes silent, all of it or half: both ends notice in time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from './tunnel-silent.ts';

test('a partition is noticed within 20 s at both ends', { timeout: 90_000 }, async (t) => {
  const { held, required, measured } = await silent(t, {
    direction: 'both',
    within: 20_000,
    name: 'partition',
  });
  t.diagnostic(measured);
  assert.ok(held, `required: ${required}; measured: ${measured}`);
});

for (const direction of ['inward', 'outward'] as const) {
  test(`a half-open line (${direction} bytes vanish) is closed within 30 s`, {
    timeout: 90_000,
  }, async (t) => {
    const { held, required, measured } = await silent(t, { direction, within: 30_000, name: 'half_open' });
    t.diagnostic(measured);
    assert.ok(held, `required: ${required}; measured: ${measured}`);
  });
}
