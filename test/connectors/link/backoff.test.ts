// Waits between dials: full jitter under a ceiling that doubles, and a fresh start after a good connection.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '#connectors/link/backoff';

test('the ceiling doubles from 1 s to 30 s, and the wait is anywhere below it', () => {
  const highest = new Backoff(
    () => 1,
    () => 0,
  );
  assert.deepEqual(
    Array.from({ length: 8 }, () => highest.next()),
    [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000],
  );
  const lowest = new Backoff(
    () => 0,
    () => 0,
  );
  for (let i = 0; i < 100; i++) assert.equal(lowest.next(), 0);
});

test('30 healthy seconds are forgiven everything, 29 nothing', () => {
  let now = 0;
  const backoff = new Backoff(
    () => 1,
    () => now,
  );
  for (let i = 0; i < 5; i++) backoff.next();
  backoff.connected();
  now += 29_999;
  assert.equal(backoff.next(), 30_000);
  backoff.connected();
  now += 30_000;
  assert.equal(backoff.next(), 1000);
});

test('a goodbye after five seconds is forgiven, one at once is not', () => {
  let now = 0;
  const backoff = new Backoff(
    () => 1,
    () => now,
  );
  for (let i = 0; i < 3; i++) backoff.next();
  backoff.connected();
  now += 4_999;
  assert.equal(backoff.next(true), 8000);
  backoff.connected();
  now += 5_000;
  assert.equal(backoff.next(true), 1000);
  backoff.connected();
  now += 5_000;
  assert.equal(backoff.next(), 2000, 'a loss needs longer');
});

test('a fleet that loses its gateway comes back spread out', () => {
  // The same loss at the same moment: 1,000 connectors, each with its own chance.
  let state = 7;
  const random = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const waits = Array.from({ length: 1000 }, () => new Backoff(random, () => 0).next());
  const perTenth = Array.from(
    { length: 10 },
    (_, i) => waits.filter((ms) => Math.floor(ms / 100) === i).length,
  );
  assert.ok(Math.max(...perTenth) < 150, `most in one tenth of the first second: ${Math.max(...perTenth)}`);
});
