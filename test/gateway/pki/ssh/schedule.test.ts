// When keys sign: what a rotation makes of the schedule, and what each worker makes of that, whenever it comes to it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { due, rotated } from '#gateway/pki/ssh/schedule';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const at = Date.parse('2026-03-04T10:00:00Z');

describe('a rotation', () => {
  test('adds a key that signs later, and is refused while one waits', () => {
    const once = rotated(undefined, { lead: DAY }, at);
    assert.deepEqual(once, { from: [at + DAY] });
    assert.throws(() => rotated(once, { lead: 0 }, at + DAY - 1), { code: 'key-waiting' });
    assert.deepEqual(rotated(once, { lead: HOUR }, at + DAY), { from: [at + DAY, at + DAY + HOUR] });
  });

  test('forgets times whose certificates have ended, and none before', () => {
    const before = { from: [at - 3 * DAY, at - 2 * DAY, at - DAY] };
    assert.deepEqual(rotated(before, { lead: 0 }, at).from, [at - 2 * DAY, at - DAY, at]);
  });

  test('of keys that were lost keeps none, also none that waits, and later ones stay without them', () => {
    const waiting = rotated(undefined, { lead: DAY }, at);
    const fresh = rotated(waiting, 'compromised', at + 1);
    assert.deepEqual(fresh, { from: [at + 1], lost: at + 1 });
    assert.deepEqual(rotated(fresh, { lead: HOUR }, at + 2), {
      from: [at + 1, at + 2 + HOUR],
      lost: at + 1,
    });
  });

  test('never gives a key the time of another, however fast they follow', () => {
    const first = rotated(undefined, { lead: 0 }, at);
    assert.deepEqual(rotated(first, { lead: 0 }, at).from, [at, at + 1]);
    assert.deepEqual(rotated(first, 'compromised', at), { from: [at + 1], lost: at + 1 });
    assert.deepEqual(rotated({ from: [at, at + DAY] }, 'compromised', at).from, [at + 1], 'it signs at once');
  });
});

describe('who holds keys', () => {
  test('makes the next one once', () => {
    const schedule = { from: [at + DAY] };
    assert.deepEqual(due(schedule, [at], at), { make: [at + DAY], destroy: [] });
    assert.deepEqual(due(schedule, [at, at + DAY], at), { make: [], destroy: [] });
  });

  test('and was away makes up for all rotations together, and makes none that would sign nothing', () => {
    const schedule = { from: [at - HOUR, at - 1, at + HOUR], lost: at - HOUR };
    assert.deepEqual(due(schedule, [at - DAY, at - DAY + 1], at), {
      make: [at - 1, at + HOUR],
      destroy: [at - DAY, at - DAY + 1],
    });
  });

  test('loses what was lost, also what was to sign later, and keeps what signed since', () => {
    const schedule = { from: [at, at + 1], lost: at };
    assert.deepEqual(due(schedule, [at - DAY, at, at + HOUR], at + 2), {
      make: [at + 1],
      destroy: [at - DAY, at + HOUR],
    });
  });

  test('and was made after all of it, makes none that is older than its own', () => {
    assert.deepEqual(due({ from: [at] }, [at + 1], at + 2), { make: [], destroy: [] });
    assert.deepEqual(due({ from: [at], lost: at }, [at + 1], at + 2), { make: [at], destroy: [at + 1] });
  });
});
