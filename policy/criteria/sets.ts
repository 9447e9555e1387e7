// Relations between sets of values, shared by the criteria that ask for one of several.

export function isSubset<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  for (const value of a) if (!b.has(value)) return false;
  return true;
}

export function isDisjoint<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  for (const value of a) if (b.has(value)) return false;
  return true;
}

/** Whether `values` holds one of `wanted`; without allocating. */
export function holdsOneOf<T>(values: readonly T[], wanted: ReadonlySet<T>): boolean {
  for (const value of values) if (wanted.has(value)) return true;
  return false;
}

export function listed(values: Iterable<unknown>): string {
  return [...values].map(String).sort().join(', ') || 'none';
}
