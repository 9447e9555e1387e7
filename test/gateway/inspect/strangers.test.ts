// What strangers may cost: what is recorded one by one, what only in sums, and that nothing goes uncounted.
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { Strangers, TooMany } from '#gateway/inspect/strangers';
import { Counts } from '#gateway/state/counts';
import type { RefusalsSummed, SallyportEvent } from '#siem/event';

interface Bed {
  readonly strangers: Strangers;
  readonly recorded: SallyportEvent[];
  readonly sums: () => Promise<RefusalsSummed[]>;
  /** The events recorded, and true for each refusal that was answered as one too many. */
  refuse(address: string, times?: number, code?: string): Promise<{ recorded: number; tooMany: number }>;
  time: number;
  behind: boolean;
  full: boolean;
  /** Requests the metrics saw refused. */
  refused: number;
  readonly counts: Counts;
}

function bed(
  t: TestContext,
  limits: { perAddress?: number; together?: number } = {},
  shared: Counts | undefined = undefined,
): Bed {
  const recorded: SallyportEvent[] = [];
  const now = (): number => one.time;
  const counts = shared ?? new Counts(now);
  const strangers = new Strangers({
    limits: { perAddress: 5, together: 1_000, ...limits },
    store: { admit: async (...asked) => counts.admit(...asked) },
    recorder: {
      record: async (event) => {
        if (one.full) throw new Error('full');
        return `id-${recorded.push(event)}`;
      },
    },
    metrics: {
      refused: () => {
        one.refused += 1;
      },
    },
    behind: () => one.behind,
    now,
  });
  t.after(() => strangers.stop());
  const one: Bed = {
    ...{ strangers, recorded, counts, time: 1_000_000, behind: false, full: false, refused: 0 },
    refuse: async (address, times = 1, code = 'parse') => {
      const before = recorded.length;
      let tooMany = 0;
      for (let i = 0; i < times; i += 1) {
        const event = { kind: 'request-refused', code, status: 400, client: { address } } as const;
        await strangers.record(event).catch((error: unknown) => {
          assert.ok(error instanceof TooMany, String(error));
          tooMany += 1;
        });
      }
      return { recorded: recorded.length - before, tooMany };
    },
    sums: async () => {
      recorded.length = 0;
      await strangers.tell();
      return recorded.filter((event) => event.kind === 'refusals-summed');
    },
  };
  return one;
}

describe('refusals of one address', () => {
  test('are recorded up to the limit; beyond it they are too many, and told in one sum', async (t) => {
    const one = bed(t);
    assert.deepEqual(await one.refuse('192.0.2.1', 5), { recorded: 5, tooMany: 0 });
    one.time += 1_000;
    assert.deepEqual(await one.refuse('192.0.2.1', 7), { recorded: 0, tooMany: 7 });
    one.time += 1_000;
    assert.deepEqual(await one.refuse('192.0.2.1', 2, 'timeout'), { recorded: 0, tooMany: 2 });
    assert.deepEqual(await one.sums(), [
      {
        kind: 'refusals-summed',
        client: { address: '192.0.2.1', country: undefined },
        ...{ addresses: 1, count: 9 },
        byCode: [
          { code: 'parse', count: 7 },
          { code: 'timeout', count: 2 },
        ],
        from: 1_001_000,
        to: 1_002_000,
      },
    ]);
    assert.deepEqual(await one.sums(), [], 'told once');
    assert.equal(one.refused, 14, 'the metrics count every one');
  });

  test('are recorded again a minute later, and say when that is', async (t) => {
    const one = bed(t, { perAddress: 1 });
    await one.refuse('192.0.2.1');
    one.time += 18_000;
    const event = { kind: 'connector-refused', code: 'x', client: { address: '192.0.2.1' } } as const;
    await assert.rejects(one.strangers.record(event), { code: 'too-many', retryAfter: 42 });
    one.time += 42_000;
    assert.deepEqual(await one.refuse('192.0.2.1'), { recorded: 1, tooMany: 0 });
  });

  test('leave others alone; a /64 of IPv6 is one address', async (t) => {
    const one = bed(t);
    await one.refuse('192.0.2.1', 9);
    assert.deepEqual(await one.refuse('192.0.2.2', 5), { recorded: 5, tooMany: 0 });
    await one.refuse('2001:db8::1', 5);
    assert.deepEqual(await one.refuse('2001:db8::2', 1), { recorded: 0, tooMany: 1 });
    assert.deepEqual(await one.refuse('2001:db8:0:1::2', 1), { recorded: 1, tooMany: 0 });
  });
});

describe('when there is too much of all', () => {
  test('refusals are told in sums, and each address is answered a few times', async (t) => {
    const one = bed(t, { perAddress: 100, together: 50 });
    for (let i = 0; i < 5; i += 1) await one.refuse(`192.0.2.${i}`, 10);
    assert.equal(one.recorded.length, 50);
    assert.deepEqual(await one.refuse('198.51.100.1', 12), { recorded: 0, tooMany: 2 });
    const [sum, ...more] = await one.sums();
    assert.deepEqual([sum?.client?.address, sum?.count, more.length], ['198.51.100.1', 12, 0]);
  });

  test('which no address makes by itself, nor two minutes together', async (t) => {
    const one = bed(t, { perAddress: 20, together: 50 });
    await one.refuse('192.0.2.1', 500);
    assert.deepEqual(await one.refuse('198.51.100.1', 20), { recorded: 20, tooMany: 0 });
    one.time += 59_000;
    assert.deepEqual(await one.refuse('198.51.100.2', 20), { recorded: 10, tooMany: 10 });
    one.time += 1_000;
    assert.deepEqual(await one.refuse('198.51.100.3', 20), { recorded: 20, tooMany: 0 });
    assert.deepEqual(await one.refuse('198.51.100.4', 20), { recorded: 20, tooMany: 0 });
    assert.deepEqual(await one.refuse('198.51.100.5', 20), { recorded: 0, tooMany: 10 });
  });

  test('the largest sums are told by address, all others in one', async (t) => {
    const one = bed(t, { perAddress: 100, together: 10 });
    await one.refuse('192.0.2.1', 10);
    for (let i = 0; i < 30; i += 1) await one.refuse(`198.51.100.${i}`, 1 + (i % 3));
    const sums = await one.sums();
    assert.deepEqual([sums.length, sums.at(-1)?.client, sums.at(-1)?.addresses], [21, undefined, 10]);
    assert.equal(
      sums.reduce((total, { count }) => total + count, 0),
      60,
    );
    assert.ok(sums.slice(0, 20).every(({ count }) => count >= (sums.at(-1)?.count ?? 0) / 10));
  });

  test('more addresses than are told apart: the rest is one sum, and none is lost', async (t) => {
    const one = bed(t, { perAddress: 100, together: 10 });
    for (let i = 0; i < 12_000; i += 1) await one.refuse(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    const singly = one.recorded.length;
    const sums = await one.sums();
    assert.equal(singly + sums.reduce((total, { count }) => total + count, 0), 12_000);
    assert.equal(sums.length, 21);
  });
});

test('while sinks are behind, refusals are told in sums, and answered as ever', async (t) => {
  const one = bed(t);
  one.behind = true;
  assert.deepEqual(await one.refuse('192.0.2.1', 5), { recorded: 0, tooMany: 0 });
  one.behind = false;
  assert.equal((await one.sums())[0]?.count, 5);
});

test('a sum that cannot be recorded is told when it can', async (t) => {
  const one = bed(t);
  await one.refuse('192.0.2.1', 8);
  one.full = true;
  assert.deepEqual(await one.sums(), []);
  await one.refuse('192.0.2.1', 2);
  one.full = false;
  assert.deepEqual(
    (await one.sums()).map(({ count, client }) => [count, client?.address]),
    [[5, '192.0.2.1']],
  );
});

describe('what costs something', () => {
  test('is given to an address up to the limit, apart from what it was refused', async (t) => {
    const one = bed(t);
    const client = { address: '192.0.2.1' };
    await one.refuse('192.0.2.1', 9);
    for (let i = 0; i < 5; i += 1) await one.strangers.admit('sign-in', client);
    await assert.rejects(one.strangers.admit('sign-in', client), TooMany);
    await one.strangers.admit('device-challenge', client);
    await one.strangers.admit('sign-in', { address: '192.0.2.2' });
    const codes = (await one.sums()).flatMap(({ byCode }) => byCode);
    assert.deepEqual(codes, [
      { code: 'parse', count: 4 },
      { code: 'sign-in', count: 1 },
    ]);
  });

  test('is counted over all gateways', async (t) => {
    const one = bed(t);
    const other = bed(t, {}, one.counts);
    const client = { address: '192.0.2.1' };
    for (let i = 0; i < 3; i += 1) await one.strangers.admit('sign-in', client);
    for (let i = 0; i < 2; i += 1) await other.strangers.admit('sign-in', client);
    await assert.rejects(one.strangers.admit('sign-in', client), TooMany);
    await assert.rejects(other.strangers.admit('sign-in', client), TooMany);
  });

  test('is not given when it cannot be counted, and beyond the limit costs no round trip', async (t) => {
    let asked = 0;
    const strangers = new Strangers({
      limits: { perAddress: 2, together: 10 },
      store: {
        admit: async () => {
          asked += 1;
          throw new Error('gone');
        },
      },
      recorder: { record: async () => '' },
      metrics: { refused: () => {} },
      behind: () => false,
      now: () => 0,
    });
    t.after(() => strangers.stop());
    for (let i = 0; i < 5; i += 1) await assert.rejects(strangers.admit('sign-in', { address: '192.0.2.1' }));
    assert.equal(asked, 2);
  });

  test('is left to each address a few times when there is too much of all', async (t) => {
    const one = bed(t, { perAddress: 100, together: 30 });
    for (let i = 0; i < 30; i += 1) await one.strangers.admit('sign-in', { address: '192.0.2.1' });
    await assert.rejects(one.strangers.admit('sign-in', { address: '192.0.2.1' }), TooMany);
    for (let i = 0; i < 10; i += 1) await one.strangers.admit('sign-in', { address: '192.0.2.2' });
    await assert.rejects(one.strangers.admit('sign-in', { address: '192.0.2.2' }), TooMany);
  });
});
