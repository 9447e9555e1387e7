// How much a tunnel keeps in flight, on lines that are computed: full use of the line, and little more than it holds.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_LIMITS, MAX_DATA } from '#connectors/wire/limits';
import { Pace } from '#connectors/wire/pace';

const KiB = 1024;
const { ackEvery, pingSeconds } = DEFAULT_LIMITS;

interface Outcome {
  /** Of what the line can carry, in the seconds that are looked at. */
  readonly share: number;
  /** Milliseconds that nine in ten frames waited at most before they went on the line. */
  readonly wait: number;
}

/**
 * Bulk without end through a line of `rate` bytes a millisecond and `trip` milliseconds there and back that `tunnels`
 * share, in steps of a millisecond; `clump` is how often the far end gets round to what has arrived.
 */
function carry(rate: number, trip: number, tunnels: number, clump: number): Outcome {
  let now = 0;
  const line = { free: 0, arrived: 0, waits: [] as number[] };
  const seconds = 60;
  const lookedAt = (seconds * 1000) / 2;
  const ends = Array.from({ length: tunnels }, () => {
    const pace = new Pace(DEFAULT_LIMITS, () => now);
    const onWay: { readonly at: number; readonly bytes: number }[] = [];
    const back: { readonly at: number; readonly act: () => void }[] = [];
    let unacked = 0;
    const put = (bytes: number): void => {
      if (now >= lookedAt) line.waits.push(line.free - now);
      line.free = Math.max(line.free, now) + bytes / rate;
      onWay.push({ at: line.free + trip / 2, bytes });
    };
    const send = (): void => {
      while (back[0] !== undefined && back[0].at <= now) back.shift()?.act();
      if (now % (pingSeconds * 1000) === 0) pace.measure(() => put(0));
      while (pace.room > 0) {
        pace.sent(MAX_DATA);
        put(MAX_DATA);
      }
    };
    const receive = (): void => {
      while (onWay[0] !== undefined && onWay[0].at <= now) {
        const bytes = onWay.shift()?.bytes ?? 0;
        if (bytes === 0) back.push({ at: now + trip / 2, act: () => pace.ponged() });
        if (now >= lookedAt) line.arrived += bytes;
        unacked += bytes;
        if (unacked < ackEvery) continue;
        const acked = unacked;
        unacked = 0;
        back.push({ at: now + trip / 2, act: () => assert.ok(pace.acked(acked)) });
      }
    };
    return { send, receive };
  });
  for (; now < seconds * 1000; now += 1) {
    for (const { send } of ends) send();
    if (now % clump === 0) for (const { receive } of ends) receive();
  }
  line.waits.sort((x, y) => x - y);
  const wait = line.waits[Math.floor(line.waits.length * 0.9)] ?? Number.NaN;
  return { share: line.arrived / ((now - lookedAt) * rate), wait };
}

describe('a tunnel full of bulk', () => {
  const mbit = (megabits: number): number => (megabits * 1e6) / 8 / 1000;
  for (const [name, rate, trip, tunnels, clump] of [
    ['100 Mbit/s, 20 ms', mbit(100), 20, 1, 1],
    ['100 Mbit/s, 20 ms, an end that is often busy', mbit(100), 20, 1, 8],
    ['100 Mbit/s, 20 ms, and another tunnel', mbit(100), 20, 2, 1],
    ['100 Mbit/s, 20 ms, three more, busy ends', mbit(100), 20, 4, 8],
    ['100 Mbit/s, 100 ms', mbit(100), 100, 1, 1],
    ['1 Gbit/s, 10 ms', mbit(1000), 10, 1, 1],
    ['1 Gbit/s, 60 ms', mbit(1000), 60, 1, 1],
    ['20 Mbit/s, 200 ms', mbit(20), 200, 1, 1],
  ] as const) {
    test(name, () => {
      const { share, wait } = carry(rate, trip, tunnels, clump);
      assert.ok(share > 0.93, `${share} of the line`);
      // About another round trip, or what the least in flight takes to send; more where tunnels share the line.
      const most =
        (tunnels === 1 ? 1.3 : 2.5) * Math.max(trip, (tunnels * DEFAULT_LIMITS.minInFlight) / rate - trip) +
        clump;
      assert.ok(wait < most, `${wait} ms where ${most} are enough`);
    });
  }
});

test('what is in flight stays under its limits, however long the line', () => {
  let now = 0;
  const pace = new Pace(DEFAULT_LIMITS, () => now);
  pace.measure(() => {});
  now = 10_000;
  pace.ponged();
  for (let i = 0; i < 1000; i += 1) {
    pace.sent(64 * KiB);
    now += 1;
    pace.acked(64 * KiB);
  }
  now += 10_000;
  pace.acked(0);
  assert.ok(pace.room <= DEFAULT_LIMITS.maxInFlight);
  assert.ok(pace.room >= DEFAULT_LIMITS.minInFlight);
});

test('more acknowledged than sent is told', () => {
  const pace = new Pace(DEFAULT_LIMITS, () => 0);
  pace.sent(10);
  assert.ok(pace.acked(10));
  assert.ok(!pace.acked(1));
});
