// What passes in a sliding period in one process, to the millisecond.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Counts } from '#gateway/state/counts';
import { arrivals, holds } from '#test/contract/arrivals';

const seed = Number(process.env['SALLYPORT_SEED'] ?? 7);
const MINUTE = 60_000;

describe('what passes in a period', () => {
  test('is never more than the limit, and what is refused is told when, to the millisecond', async () => {
    await fc.assert(
      fc.asyncProperty(arrivals, fc.nat(MINUTE), async (asked, start) => {
        let time = 1_000_000 + start;
        const counts = new Counts(() => time);
        const advance = (milliseconds: number): void => {
          time += milliseconds;
        };
        const admit = (limit: number, period: number): number => {
          const looked = counts.wait('k', limit, period);
          const wait = counts.admit('k', limit, period);
          assert.equal(looked, wait, 'a look says what comes');
          if (looked > 0) assert.equal(counts.wait('k', limit, period), looked, 'and counts nothing');
          return wait;
        };
        await holds(asked, { admit, advance, now: () => time, drift: () => 0 });
      }),
      { numRuns: 2_000, seed },
    );
  });

  test('is told apart by sixtieths: whoever keeps below the limit by one is never refused', () => {
    let time = 12_345;
    const counts = new Counts(() => time);
    for (let i = 0; i < 100_000; i += 1) {
      assert.equal(counts.admit('k', 100, MINUTE), 0, String(i));
      time += Math.ceil((MINUTE * 61) / 60 / 100);
    }
  });

  test('is forgotten when it has ended, and first of all what passed longest ago', () => {
    let time = 0;
    const counts = new Counts(() => time);
    counts.admit('early', 1, MINUTE);
    time += MINUTE / 2;
    counts.admit('late', 1, MINUTE);
    time += MINUTE / 2 - 1;
    counts.sweep();
    assert.equal(counts.wait('early', 1, MINUTE), 1);
    time += 1;
    counts.sweep();
    assert.equal(counts.wait('late', 1, MINUTE), MINUTE / 2);
    counts.admit('often', 2, MINUTE);
    for (let i = 0; i < 100_000; i += 1) {
      if (i === 50_000) counts.admit('often', 2, MINUTE);
      counts.admit(String(i), 1, MINUTE);
    }
    assert.equal(counts.wait('late', 1, MINUTE), 0, 'forgotten for others');
    assert.ok(counts.wait('often', 2, MINUTE) > 0, 'passed again since');
  });
});
