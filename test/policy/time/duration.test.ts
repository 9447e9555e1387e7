// Durations as documents write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DURATION, formatDuration, parseDuration } from '#policy/time/duration';

test('durations are read and written back', () => {
  const table: Readonly<Record<string, number>> = {
    '90s': 90_000,
    '15m': 900_000,
    '8h': 28_800_000,
    '1h30m': 5_400_000,
    '30d': 2_592_000_000,
    '1d2h3m4s': 93_784_000,
    '0s': 0,
  };
  for (const [text, ms] of Object.entries(table)) {
    assert.ok(DURATION.test(text), text);
    assert.equal(parseDuration(text), ms);
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }
  assert.equal(formatDuration(5_400_000), '1h30m');
});

test('what is ambiguous is no duration', () => {
  for (const text of ['', '8', '8 h', '-8h', '1.5h', '8H', '30m1h', 'h', '8h8h', '1w', '١h'])
    assert.ok(!DURATION.test(text), text);
});
