// The clock that never runs backwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SteadyClock } from '#gateway/state/steady-clock';

function machine() {
  const machine = { wall: 1_000_000_000_000, monotonic: 5 };
  const clock = new SteadyClock(
    () => machine.wall,
    () => machine.monotonic,
  );
  return {
    clock,
    set: (by: number) => {
      machine.wall += by;
    },
    pass: (milliseconds: number) => {
      machine.wall += milliseconds;
      machine.monotonic += milliseconds;
    },
  };
}

test('follows the machine, and goes on by itself when that is set back', () => {
  const { clock, set, pass } = machine();
  const start = clock.now();
  pass(1_000);
  assert.equal(clock.now(), start + 1_000);
  set(-86_400_000);
  assert.equal(clock.now(), start + 1_000);
  pass(5_000);
  assert.equal(clock.now(), start + 6_000);
  assert.equal(clock.setBack, 86_400_000);
});

test('follows a step forward at once, and stays there', () => {
  const { clock, set, pass } = machine();
  const start = clock.now();
  set(300_000);
  assert.equal(clock.now(), start + 300_000);
  set(-300_000);
  pass(1_000);
  assert.equal(clock.now(), start + 301_000);
});

test('says nothing of a small correction', () => {
  const { clock, set } = machine();
  clock.now();
  set(-59_000);
  assert.equal(clock.setBack, 0);
  set(-2_000);
  assert.equal(clock.setBack, 61_000);
});
