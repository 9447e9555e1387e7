// The wall clock of a time zone as integers, quick enough for every decision; it must never guess at a zone
// that the runtime does not know exactly as written.

const MINUTE = 60_000;
const DAY_MINUTES = 1440;
export const WEEK_MINUTES: number = 7 * DAY_MINUTES;
/**
 * Offsets are kept per minute: most change at quarter hours, but Newfoundland (until 2011) and Casey (2020) changed
 * at 00:01. That they change at whole minutes only is tested.
 */
const SLOTS = 1024;

const AREAS =
  /^(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific)\/[A-Za-z_+\-/]+$/;

/**
 * Whether a document may name this zone: `UTC` or Area/City, spelt as the tz database spells it. Names like
 * `CET`, `EST` or `Etc/GMT+5` are refused: their rules or signs are not what people expect.
 */
export function isZoneName(name: string): boolean {
  if (name === 'UTC') return true;
  if (!AREAS.test(name)) return false;
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    // A renamed place (Kathmandu, once Katmandu) resolves to its other name; only wrong case is refused.
    return known === name || known.toLowerCase() !== name.toLowerCase();
  } catch {
    return false;
  }
}

/** Reads one zone's wall clock, keeping the offsets it has looked up. */
export class ZoneClock {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #slots: Float64Array = new Float64Array(SLOTS).fill(-1);
  readonly #offsets: Int32Array = new Int32Array(SLOTS);

  /** Throws RangeError for a zone the runtime does not know; ask `isZoneName` first. */
  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      // h23 and not hour12: false, which prints midnight as 24.
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  }

  /** Minutes since Monday 00:00 local time (0 to 10,079) at an instant in epoch milliseconds after 1970. */
  minuteOfWeek(at: number): number {
    const minute = Math.floor(at / MINUTE);
    const index = minute % SLOTS;
    if (this.#slots[index] !== minute) {
      this.#offsets[index] = this.#offset(minute * MINUTE);
      this.#slots[index] = minute;
    }
    // 1 January 1970 was a Thursday, three days into the week.
    const local = minute + (this.#offsets[index] ?? 0) + 3 * DAY_MINUTES;
    return local % WEEK_MINUTES;
  }

  /** Minutes that local time is ahead of UTC. */
  #offset(at: number): number {
    const fields = { year: 0, month: 0, day: 0, hour: 0, minute: 0 };
    for (const { type, value } of this.#format.formatToParts(at)) {
      if (Object.hasOwn(fields, type)) fields[type as keyof typeof fields] = Number(value);
    }
    const local = Date.UTC(fields.year, fields.month - 1, fields.day, fields.hour, fields.minute);
    return Math.round((local - at) / MINUTE);
  }
}
