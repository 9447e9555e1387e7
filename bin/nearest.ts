// Finds the name somebody probably meant; it must never guess when nothing is close.

/** Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let row: number[] = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replaced, at(row, j) + 1, at(next, j - 1) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, at(before, j - 2) + 1);
      }
      next.push(least);
    }
    before = row;
    row = next;
  }
  return at(row, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** The nearest of `names`, if at most a third of its letters differ or it begins with `typed`. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  // A long argument is no mistyped name, and the distance costs its length times the name's.
  if (typed.length === 0 || typed.length > 64) return undefined;
  const begun = names.filter((name) => name.startsWith(typed));
  if (begun.length === 1) return begun[0];
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const edits = distance(typed, name);
    if (edits < least && edits <= Math.max(1, Math.floor(name.length / 3))) {
      best = name;
      least = edits;
    }
  }
  return best;
}
