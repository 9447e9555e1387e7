// Reads how long a token can be used.

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds, or undefined if `text` is no duration up to 24 hours. */
export function durationOf(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,5})([smh])$/.exec(text);
  const life = match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  return life <= 24 * 3_600_000 ? life : undefined;
}
