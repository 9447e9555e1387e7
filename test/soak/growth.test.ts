// What the campaign says of growth, on series whose growth is known.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { growthOf, type Sample } from './growth.ts';

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
const series = (of: (index: number) => number): Sample[] =>
  Array.from({ length: 11 }, (_, index) => ({ at: index / 10, value: of(index) }));

suite('growth', () => {
  test('of what stays as it is there is none', () => {
    assert.deepEqual(growthOf(series(() => 50)), { perHour: 0, error: 0 });
  });

  test('is told of the mean, for an hour', () => {
    const { perHour, error } = growthOf(series((index) => 95 + index));
    near(perHour, 0.1);
    near(error, 0);
  });

  test('is no surer than the samples are', () => {
    const { perHour, error } = growthOf(series((index) => 100 + (index % 2 === 0 ? 5 : -5)));
    assert.ok(Math.abs(perHour) < 2 * error, `${perHour} of ${error}`);
    assert.ok(error > 0.04);
  });

  test('is not told of too few samples, nor of one moment', () => {
    assert.throws(() => growthOf(series(() => 1).slice(0, 2)), RangeError);
    assert.throws(() => growthOf(series(() => 1).map(({ value }) => ({ at: 1, value }))), RangeError);
  });
});
