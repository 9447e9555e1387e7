// How many new tunnels are taken: so many a second of all connectors, and of one no more than its share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Accepts } from '#gateway/edge/accepts';

/** How many of `count` dials, each by another connector, are taken. */
function taken(accepts: Accepts, count: number, from = 0): number {
  let sum = 0;
  for (let i = 0; i < count; i += 1) sum += accepts.take(`c${from + i}`) ? 1 : 0;
  return sum;
}

test('as many at once as a second allows, then as many each second', () => {
  let now = 0;
  const accepts = new Accepts(100, () => now);
  assert.equal(taken(accepts, 1000), 100);
  now += 100;
  assert.equal(taken(accepts, 1000), 10);
  now += 60_000;
  assert.equal(taken(accepts, 1000), 100, 'what was not used does not add up');
});

test('one connector that dials again and again uses up nothing of the others', () => {
  let now = 0;
  const accepts = new Accepts(100, () => now);
  let own = 0;
  for (let i = 0; i < 1000; i += 1) own += accepts.take('storm') ? 1 : 0;
  assert.equal(own, 64);
  assert.equal(taken(accepts, 36), 36);
  now += 1000;
  own = 0;
  for (let i = 0; i < 1000; i += 1) own += accepts.take('storm') ? 1 : 0;
  assert.equal(own, 8);
});

test('a clock that is set back stops nobody for long', () => {
  let now = 1_000_000;
  const accepts = new Accepts(10, () => now);
  assert.equal(taken(accepts, 10), 10);
  now -= 900_000;
  assert.equal(taken(accepts, 10), 0);
  now += 1000;
  assert.equal(taken(accepts, 10), 10);
});
