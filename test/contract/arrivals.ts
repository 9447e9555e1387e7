// Arrivals at random and at awkward moments, and a naive log of all that passed, to hold against whatever counts.
import assert from 'node:assert/strict';
import fc from 'fast-check';

const PERIOD = 3_600_000;
const PART = PERIOD / 60;

/** Milliseconds since the arrival before; or as many as that was told to wait. */
type Gap = number | 'as told';

export interface Arrivals {
  readonly limit: number;
  readonly gaps: readonly Gap[];
}

const gap: fc.Arbitrary<Gap> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 * PART }) },
  { weight: 2, arbitrary: fc.constantFrom(1, PART - 1, PART, PART + 1, PERIOD - 1, PERIOD, PERIOD + 1) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: PERIOD }) },
  { weight: 2, arbitrary: fc.integer({ min: PERIOD - 2 * PART, max: PERIOD + 2 * PART }) },
  { weight: 3, arbitrary: fc.constant<'as told'>('as told') },
);

export const arrivals: fc.Arbitrary<Arrivals> = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  gaps: fc.array(gap, { minLength: 1, maxLength: 80, size: 'max' }),
});

export interface Counting {
  admit(limit: number, period: number): Promise<number> | number;
  advance(milliseconds: number): void | Promise<void>;
  now(): number;
  /** Milliseconds that may have gone by without being asked to, since the first arrival. */
  drift(): number;
}

/** In no period more than the limit, and who is refused is told a time that is right to a sixtieth of a period. */
export async function holds({ limit, gaps }: Arrivals, counting: Counting): Promise<void> {
  const passed: number[] = [];
  let told = 0;
  for (const gap of gaps) {
    await counting.advance(gap === 'as told' ? told : gap);
    const now = counting.now();
    // Until the last but so many of them is a period ago.
    const exact = (passed.at(-limit) ?? Number.NEGATIVE_INFINITY) + PERIOD - now;
    const wait = await counting.admit(limit, PERIOD);
    const drift = counting.drift();
    assert.ok(wait >= exact - drift, `more than ${limit} passed: ${wait} at ${now}, should be ${exact}`);
    assert.ok(wait === 0 || wait < exact + PART, `kept out too long: ${wait} at ${now}, should be ${exact}`);
    if (gap === 'as told' && told > 0) assert.equal(wait, 0, 'who waited as told passes');
    if (wait === 0) passed.push(now);
    told = wait;
  }
}
