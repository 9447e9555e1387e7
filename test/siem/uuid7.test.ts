// Event ids: well-formed, increasing within a process even when the clock stands still or steps back, and readable.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { uuid7Generator, uuid7Time } from '#siem/uuid7';

describe('uuid7Generator', () => {
  test('makes canonical version 7 ids that carry the time', () => {
    const time = Date.parse('2026-03-04T09:12:13.456Z');
    const id = uuid7Generator(() => time)();
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(uuid7Time(id), time);
  });

  test('makes increasing, distinct ids within one millisecond and over a small step back', () => {
    let time = 1_772_615_533_456;
    const next = uuid7Generator(() => time);
    const ids = Array.from({ length: 20_000 }, (_, index) => {
      if (index === 10_000) time -= 5_000;
      return next();
    });
    assert.deepEqual(ids, [...ids].sort());
    assert.equal(new Set(ids).size, ids.length);
  });

  test('follows a clock that was set back far', () => {
    let time = 1_772_615_533_456;
    const next = uuid7Generator(() => time);
    next();
    time -= 86_400_000;
    assert.equal(uuid7Time(next()), time);
  });
});

test('uuid7Time knows what is no UUIDv7', () => {
  for (const id of [
    '',
    'x',
    '019CB830-5000-7A00-8000-000000000001',
    '019cb830-5000-4a00-8000-000000000001',
  ]) {
    assert.equal(uuid7Time(id), undefined);
  }
});
