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

interface Line {
  /** Bytes a millisecond, at first and at last. */
  readonly rate: number;
  readonly before?: number;
  /** Milliseconds there and back. */
  readonly trip: number;
  /** That share the line. */
  readonly tunnels?: number;
  /** How often the far end gets round to what has arrived, in milliseconds. */
  readonly clump?: number;
  /** For how long the far end stands still, ten times a second. */
  readonly pause?: number;
  /** Share of the line that is to be used. */
  readonly least?: number;
}

/** Bulk without end, in steps of a millisecond; the second half of a minute is looked at. */
function carry({ rate: last, before = last, trip, tunnels = 1, clump = 1, pause = 0 }: Line): Outcome {
  let now = 0;
  let rate = before;
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
    // A second before it is looked at.
    if (now === lookedAt - 1000) rate = last;
    for (const { send } of ends) send();
    if (now % clump === 0 && now % 100 >= pause) for (const { receive } of ends) receive();
  }
  line.waits.sort((x, y) => x - y);
  const wait = line.waits[Math.floor(line.waits.length * 0.9)] ?? Number.NaN;
  return { share: line.arrived / ((now - lookedAt) * rate), wait };
}

describe('a tunnel full of bulk', () => {
  const mbit = (megabits: number): number => (megabits * 1e6) / 8 / 1000;
  const lines: Readonly<Record<string, Line>> = {
    '100 Mbit/s, 20 ms': { rate: mbit(100), trip: 20 },
    '100 Mbit/s, 20 ms, an end that is often busy': { rate: mbit(100), trip: 20, clump: 8 },
    '100 Mbit/s, 20 ms, and another tunnel': { rate: mbit(100), trip: 20, tunnels: 2 },
    '100 Mbit/s, 20 ms, three more, busy ends': { rate: mbit(100), trip: 20, tunnels: 4, clump: 8 },
    '100 Mbit/s, 20 ms, an end that pauses': {
      rate: mbit(100),
      trip: 20,
      tunnels: 2,
      pause: 15,
      least: 0.955,
    },
    '100 Mbit/s, 20 ms, after 1 Gbit/s': { rate: mbit(100), before: mbit(1000), trip: 20, tunnels: 2 },
    '1 Gbit/s, 20 ms, after 100 Mbit/s': { rate: mbit(1000), before: mbit(100), trip: 20, tunnels: 2 },
    '100 Mbit/s, 100 ms': { rate: mbit(100), trip: 100 },
    '100 Mbit/s, 100 ms, and another tunnel': { rate: mbit(100), trip: 100, tunnels: 2 },
    '1 Gbit/s, 10 ms': { rate: mbit(1000), trip: 10 },
    '1 Gbit/s, 60 ms': { rate: mbit(1000), trip: 60 },
    '20 Mbit/s, 200 ms': { rate: mbit(20), trip: 200 },
    '10 Gbit/s, no distance': { rate: mbit(10_000), trip: 0.2 },
  };
  for (const [name, line] of Object.entries(lines)) {
    test(name, () => {
      const { rate, trip, tunnels = 1, clump = 1, least = 0.93 } = line;
      const { share, wait } = carry(line);
      assert.ok(share > least, `${share} of the line`);
      // A quarter of the trip and what no acknowledgement shows; never less than two turns of a busy end.
      const most = Math.max(10, trip * 0.28) + (tunnels * ackEvery) / rate + clump;
      assert.ok(wait < most, `${wait} ms where ${most} are enough`);
    });
  }

  test('5 Mbit/s, 30 ms, and another tunnel: the least in flight is what a request waits for', () => {
    const { share, wait } = carry({ rate: mbit(5), trip: 30, tunnels: 2 });
    assert.ok(share > 0.99);
    assert.ok(wait < (2.2 * DEFAULT_LIMITS.minInFlight) / mbit(5), `${wait} ms`);
  });
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

/** A tunnel that was full for five trips of 10 ms and saw no queue. */
function grown(): { readonly pace: Pace; pass(ms: number): void; measure(): void } {
  let now = 0;
  const pace = new Pace(DEFAULT_LIMITS, () => now);
  const measure = (): void => {
    pace.measure(() => {});
    now += 10;
    pace.ponged();
  };
  measure();
  for (let i = 0; i < 5; i += 1) {
    const { room } = pace;
    pace.sent(room);
    now += 10;
    pace.acked(room);
  }
  assert.ok(pace.room > 10 * DEFAULT_LIMITS.minInFlight, `${pace.room} on a line that shows no queue`);
  const pass = (ms: number): void => {
    now += ms;
  };
  return { pace, pass, measure };
}

test('what went unused between two measurements is not believed any more', () => {
  const { pace, measure } = grown();
  const { room } = pace;
  pace.sent(room);
  pace.acked(room);
  measure();
  assert.ok(pace.room >= room, 'it was used');
  measure();
  assert.equal(pace.room, DEFAULT_LIMITS.minInFlight);
});

test('a sample that the peer need not acknowledge is given up', () => {
  const { pace, pass } = grown();
  const { room } = pace;
  pace.sent(room);
  pace.acked(room - 1);
  for (let i = 0; i < 3; i += 1) {
    pass(60_000);
    pace.sent(ackEvery);
    pace.acked(ackEvery);
  }
  assert.equal(pace.room, room - 1, 'a pause of a minute is no queue');
});

test('more acknowledged than sent is told', () => {
  const pace = new Pace(DEFAULT_LIMITS, () => 0);
  pace.sent(10);
  assert.ok(pace.acked(10));
  assert.ok(!pace.acked(1));
});
