// Durations as documents write them (`90s`, `15m`, `8h`, `1h30m`, `30d`); all others are refused.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Days, hours, minutes and seconds, in that order, each at most once and at least one of them. */
export const DURATION: RegExp = /^(?=\d)(\d{1,4}d)?(\d{1,5}h)?(\d{1,6}m)?(\d{1,7}s)?$/;

/** Milliseconds of a text that matches `DURATION`. */
export function parseDuration(text: string): number {
  const parts = DURATION.exec(text);
  const part = (index: number): number => Number.parseInt(parts?.[index] ?? '0', 10);
  return part(1) * DAY + part(2) * HOUR + part(3) * MINUTE + part(4) * 1000;
}

/** The shortest way to write a duration of milliseconds; below one second it is written as `0s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const units: readonly (readonly [string, number])[] = [
    ['d', Math.floor(seconds / 86_400)],
    ['h', Math.floor(seconds / 3600) % 24],
    ['m', Math.floor(seconds / 60) % 60],
    ['s', seconds % 60],
  ];
  const text = units
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count}${unit}`)
    .join('');
  return text === '' ? '0s' : text;
}
