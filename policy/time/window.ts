// Weekly windows ("Monday to Friday, 22:00 to 06:00") as one bit per minute of the week: whatever was written,
// overnight or not, is asked with one lookup. A window belongs to the day on which it starts.
import { WEEK_MINUTES } from './zone.ts';

const DAYS: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_MINUTES = 1440;

/** One day or a range of days: `mon`, `mon-fri`, `fri-mon`. */
export const DAY_RANGE: RegExp = /^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$/;
/** Hours and minutes of a day; `24:00` only makes sense as an end. */
export const TIME_OF_DAY: RegExp = /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/;

/** Numbers of the days (Monday is 0) that a text matching `DAY_RANGE` covers. */
export function daysOf(range: string): number[] {
  const [first = '', last = first] = range.split('-');
  const from = DAYS.indexOf(first);
  const to = DAYS.indexOf(last);
  const count = ((to - from + 7) % 7) + 1;
  return Array.from({ length: count }, (_, index) => (from + index) % 7);
}

/** Minutes since midnight of a text that matches `TIME_OF_DAY`. */
export function minutesOf(time: string): number {
  const [hours = '0', minutes = '0'] = time.split(':');
  return Number(hours) * 60 + Number(minutes);
}

/** The minutes of a week that are inside at least one added window. */
export class WeekMap {
  readonly #bits: Uint32Array = new Uint32Array(Math.ceil(WEEK_MINUTES / 32));
  #edges: readonly number[] | undefined;

  /** Opens the minutes from `from` (inclusive) to `to` (exclusive, next day when not later) on these days. */
  add(days: readonly number[], from: number, to: number): void {
    this.#edges = undefined;
    const length = to > from ? to - from : to - from + DAY_MINUTES;
    for (const day of days) {
      for (let offset = 0; offset < length; offset += 1) {
        const minute = (day * DAY_MINUTES + from + offset) % WEEK_MINUTES;
        this.#bits[minute >>> 5] = (this.#bits[minute >>> 5] ?? 0) | (1 << (minute & 31));
      }
    }
  }

  has(minuteOfWeek: number): boolean {
    return ((this.#bits[minuteOfWeek >>> 5] ?? 0) & (1 << (minuteOfWeek & 31))) !== 0;
  }

  /** Minutes of the week at which the map opens or closes; looked for once. */
  edges(): readonly number[] {
    this.#edges ??= this.#findEdges();
    return this.#edges;
  }

  #findEdges(): number[] {
    const all = Array.from({ length: WEEK_MINUTES }, (_, minute) => minute);
    return all.filter((minute) => this.has(minute) !== this.has((minute + WEEK_MINUTES - 1) % WEEK_MINUTES));
  }

  /** Whether every minute of `other` is in this map too. */
  covers(other: WeekMap): boolean {
    return other.#bits.every((word, index) => (word & ~(this.#bits[index] ?? 0)) === 0);
  }

  overlaps(other: WeekMap): boolean {
    return other.#bits.some((word, index) => (word & (this.#bits[index] ?? 0)) !== 0);
  }
}
