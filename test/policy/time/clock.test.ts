// Golden tables of clock changes, and the zone clock against Temporal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZoneName, ZoneClock } from '#policy/time/zone';
import { policyOf, requestWith, verdict } from '../criteria/ask.ts';

interface Golden {
  readonly zone: string;
  readonly window: string;
  /** Instants and whether they are inside. */
  readonly at: readonly (readonly [string, boolean])[];
}

const GOLDEN: Readonly<Record<string, Golden>> = {
  'spring forward, Berlin: 02:00 to 03:00 does not exist': {
    zone: 'Europe/Berlin',
    window: 'days: sun, from: "01:30", to: "03:30"',
    at: [
      ['2026-03-29T00:29:59Z', false],
      ['2026-03-29T00:30:00Z', true],
      ['2026-03-29T00:59:59Z', true],
      ['2026-03-29T01:00:00Z', true],
      ['2026-03-29T01:29:59Z', true],
      ['2026-03-29T01:30:00Z', false],
    ],
  },
  'a window wholly inside the gap never comes that day': {
    zone: 'Europe/Berlin',
    window: 'days: sun, from: "02:15", to: "02:45"',
    at: [
      ['2026-03-29T00:59:59Z', false],
      ['2026-03-29T01:00:00Z', false],
      ['2026-03-29T01:20:00Z', false],
      ['2026-04-05T00:20:00Z', true],
    ],
  },
  'fall back, Berlin: 02:00 to 03:00 comes twice': {
    zone: 'Europe/Berlin',
    window: 'days: sun, from: "02:15", to: "02:45"',
    at: [
      ['2026-10-25T00:14:59Z', false],
      ['2026-10-25T00:15:00Z', true],
      ['2026-10-25T00:45:00Z', false],
      ['2026-10-25T01:15:00Z', true],
      ['2026-10-25T01:44:59Z', true],
      ['2026-10-25T01:45:00Z', false],
    ],
  },
  'half an hour back on Lord Howe Island': {
    zone: 'Australia/Lord_Howe',
    window: 'days: sun, from: "01:30", to: "02:00"',
    at: [
      ['2026-04-04T14:29:59Z', false],
      ['2026-04-04T14:30:00Z', true],
      ['2026-04-04T15:00:00Z', true],
      ['2026-04-04T15:29:59Z', true],
      ['2026-04-04T15:30:00Z', false],
    ],
  },
  'leap day belongs to its weekday': {
    zone: 'Europe/Berlin',
    window: 'days: tue, from: "00:00", to: "24:00"',
    at: [
      ['2028-02-28T22:59:59Z', false],
      ['2028-02-28T23:00:00Z', true],
      ['2028-02-29T22:59:59Z', true],
      ['2028-02-29T23:00:00Z', false],
    ],
  },
  'an overnight window belongs to the day it starts on': {
    zone: 'America/New_York',
    window: 'days: fri, from: "22:00", to: "06:00"',
    at: [
      ['2026-07-11T01:59:59Z', false],
      ['2026-07-11T02:00:00Z', true],
      ['2026-07-11T09:59:59Z', true],
      ['2026-07-11T10:00:00Z', false],
      ['2026-07-10T05:00:00Z', false],
      ['2026-07-12T05:00:00Z', false],
    ],
  },
  'overnight from Sunday to Monday, over the end of the week': {
    zone: 'Asia/Kathmandu',
    window: 'days: sun, from: "23:00", to: "01:00"',
    at: [
      ['2026-03-01T17:14:59Z', false],
      ['2026-03-01T17:15:00Z', true],
      ['2026-03-01T19:14:59Z', true],
      ['2026-03-01T19:15:00Z', false],
    ],
  },
  'overnight across the spring gap loses an hour': {
    zone: 'Europe/Berlin',
    window: 'days: sat, from: "22:00", to: "03:00"',
    at: [
      ['2026-03-28T21:00:00Z', true],
      ['2026-03-29T00:59:59Z', true],
      ['2026-03-29T01:00:00Z', false],
    ],
  },
  'midnight is 00:00 and not 24:00': {
    zone: 'UTC',
    window: 'from: "00:00", to: "00:01"',
    at: [
      ['2026-03-04T00:00:00Z', true],
      ['2026-03-04T00:00:59.999Z', true],
      ['2026-03-04T00:01:00Z', false],
      ['2026-03-03T23:59:59.999Z', false],
    ],
  },
};

for (const [name, { zone, window, at }] of Object.entries(GOLDEN)) {
  test(name, () => {
    const policy = policyOf(
      `{ version: 1, zone: ${zone}, hours: { h: { ${window} } }, apps: [app], rules: [{ id: r, allow: app, who: everyone, when: { hours: h } }] }`,
    );
    for (const [instant, inside] of at) {
      const request = requestWith({ at: Date.parse(instant) });
      assert.equal(verdict(policy, request), inside ? 'allow' : 'deny', instant);
    }
  });
}

test('only Area/City and UTC are zones, spelt as they are spelt', () => {
  for (const zone of [
    'UTC',
    'Europe/Berlin',
    'America/Argentina/Ushuaia',
    'America/Port-au-Prince',
    'Asia/Kathmandu',
    'Asia/Katmandu',
  ]) {
    assert.ok(isZoneName(zone), zone);
  }
  const refused = [
    'CET',
    'EST',
    'EST5EDT',
    'GMT',
    'Etc/GMT+5',
    'Etc/UTC',
    'US/Eastern',
    'GB',
    'Z',
    '+01:00',
    'Europe/Atlantis',
    'europe/berlin',
    'Europe/berlin',
    '',
  ];
  for (const zone of refused) assert.ok(!isZoneName(zone), zone);
});

test('the clock of every zone agrees with Temporal, and offsets change at whole minutes only', () => {
  const zones = Intl.supportedValuesOf('timeZone').filter(isZoneName);
  assert.ok(zones.length > 300);
  const end = Temporal.Instant.from('2045-01-01T00:00Z').epochMilliseconds;
  let transitions = 0;
  for (const [index, zone] of zones.entries()) {
    const clock = new ZoneClock(zone);
    let moment = Temporal.Instant.from('1975-01-01T00:00Z').toZonedDateTimeISO(zone);
    for (let at = moment.epochMilliseconds + index * 977_777; at < end; at += 200 * 86_400_000)
      agree(clock, zone, at);
    for (;;) {
      const next = moment.getTimeZoneTransition('next');
      if (next === null || next.epochMilliseconds > end) break;
      transitions += 1;
      assert.equal(next.epochMilliseconds % 60_000, 0, `${zone} changes at ${next.toInstant()}`);
      if (index % 8 === 0)
        for (const offset of [-1, 0, 1]) agree(clock, zone, next.epochMilliseconds + offset);
      moment = next;
    }
  }
  assert.ok(transitions > 5000);
});

function agree(clock: ZoneClock, zone: string, at: number): void {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  const expected = (local.dayOfWeek - 1) * 1440 + local.hour * 60 + local.minute;
  assert.equal(clock.minuteOfWeek(at), expected, `${zone} at ${new Date(at).toISOString()}`);
}
