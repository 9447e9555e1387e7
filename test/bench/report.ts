// What every benchmark answers with, and how repeated measurements become one figure.

export interface BenchOptions {
  /** Says what is being done; never part of the result. */
  progress(line: string): void;
  /** The one part to run, of a benchmark that has parts. */
  readonly only: string | undefined;
  /** A folder for CPU profiles of what is measured; the figures are then not comparable. */
  readonly profile: string | undefined;
}

export interface BenchReport {
  /** Of whatever took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Units are in the names: `_ms`, `_us`, `_rps`; a `ratio_` has none. */
  readonly figures: Readonly<Record<string, number>>;
  /** The same for people. */
  readonly table: string;
}

/** The middle of an odd number of measurements, the mean of the two middle ones of an even number. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('the median of nothing');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Rounds to three significant digits, which is more than a shared machine can repeat. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

/** Rows of cells as aligned columns: words to the left, figures to the right. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
