// Named weekly hours on the wall clock of their zone. Minutes that a clock change skips never come; minutes that
// it repeats are inside both times.
import { z } from 'zod';
import type { Facts } from '../facts.ts';
import { DAY_RANGE, TIME_OF_DAY, type WeekMap } from '../time/window.ts';
import { isZoneName, WEEK_MINUTES, type ZoneClock } from '../time/zone.ts';
import { MET, type Truth, UNKNOWN, UNMET } from '../truth.ts';
import type { Criterion } from './criterion.ts';

const MINUTE = 60_000;

/** The minutes of the week, on one zone's clock. */
export interface Hours {
  readonly names: readonly string[];
  readonly clock: ZoneClock;
  readonly week: WeekMap;
}

export const zoneSchema: z.ZodString = z
  .string()
  .regex(
    /^(UTC|[A-Z][A-Za-z]+\/[A-Za-z_+\-/]+)$/,
    'a zone is written as Area/City, like `Europe/Berlin`, or `UTC`',
  )
  .refine((name) => isZoneName(name) || (!name.includes('/') && name !== 'UTC'), {
    error: (issue) =>
      `unknown time zone \`${String(issue.input)}\`; use Area/City, like \`Europe/Berlin\`, or \`UTC\``,
  });

const day = z.string().regex(DAY_RANGE, 'days are written like `mon`, `mon-fri` or [mon, wed]');
const timeOfDay = z.string().regex(TIME_OF_DAY, 'a time is written in quotes, like "08:00"');

/** One window of the week; every day unless `days` says otherwise. */
export const windowSchema: z.ZodType<{
  days?: string | string[] | undefined;
  from: string;
  to: string;
  zone?: string | undefined;
}> = z.strictObject({
  days: z.union([day, z.array(day).min(1)]).optional(),
  from: timeOfDay,
  to: timeOfDay,
  zone: zoneSchema.optional(),
});

export const hours: Criterion<readonly Hours[]> = {
  key: 'hours',
  code: 'outside-hours',
  truth(want: readonly Hours[], { at }: Facts): Truth {
    if (Number.isNaN(at)) return UNKNOWN;
    for (const { clock, week } of want) {
      if (week.has(clock.minuteOfWeek(at))) return MET;
    }
    return UNMET;
  },
  need: (want) => want.map(({ names, clock }) => `${names.join(', ')} (${clock.name})`).join(' or '),
  have: (want, { at }) =>
    Number.isNaN(at) ? 'unknown' : want.map(({ clock }) => localTime(at, clock.name)).join(' or '),
  implies: (a, b) =>
    a.every((mine) => b.some((theirs) => sameZone(mine, theirs) && theirs.week.covers(mine.week))),
  disjoint: (a, b) =>
    a.every((mine) => b.every((theirs) => sameZone(mine, theirs) && !theirs.week.overlaps(mine.week))),
};

/**
 * Instants within a week after `at` at which the hours open or close. `exact` is false when the clock changes its
 * offset on the way: then an instant may be missing or off by the change.
 */
export function edgesAfter({ clock, week }: Hours, at: number): { instants: number[]; exact: boolean } {
  const minute = Math.floor(at / MINUTE) * MINUTE;
  const now = clock.minuteOfWeek(minute);
  let exact = true;
  const instants = week.edges().flatMap((edge) => {
    const ahead = (edge - now + WEEK_MINUTES) % WEEK_MINUTES || WEEK_MINUTES;
    const plain = minute + ahead * MINUTE;
    const drift = clock.minuteOfWeek(plain) - edge;
    if (drift === 0) return [plain];
    exact = false;
    return [plain, plain - drift * MINUTE];
  });
  return { instants, exact };
}

function sameZone(a: Hours, b: Hours): boolean {
  return a.clock.name === b.clock.name;
}

function localTime(at: number, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(Math.floor(at)).toZonedDateTimeISO(zone);
  const day = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][local.dayOfWeek - 1] ?? '';
  return `${day} ${local.toPlainDateTime().toString({ smallestUnit: 'minute' }).replace('T', ' ')} ${zone}`;
}
