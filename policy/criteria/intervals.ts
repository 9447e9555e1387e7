// Half-open intervals of numbers, shared by the criteria that ask for a range. An open end is infinite.

/** From `atLeast` (inclusive) to `below` (exclusive). */
export interface Interval {
  readonly atLeast: number;
  readonly below: number;
}

export function contains(interval: Interval, value: number): boolean {
  return value >= interval.atLeast && value < interval.below;
}

export function within(a: Interval, b: Interval): boolean {
  return a.atLeast >= b.atLeast && a.below <= b.below;
}

export function apart(a: Interval, b: Interval): boolean {
  return a.below <= b.atLeast || b.below <= a.atLeast;
}
