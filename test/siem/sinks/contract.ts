// What every sink must do with its receiver's troubles: nothing lost, order kept, repeats only where no answer came,
// and one bad record never holds up the others.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { readCursor } from '#siem/ship/cursor';
import { deadLetterPath } from '#siem/ship/dead-letters';
import { Shipper } from '#siem/ship/shipper';
import { bytesAfter } from '#siem/ship/shipping';
import type { Sink } from '#siem/sinks/sink';
import { directoryFor, document } from '../outbox/documents.ts';

/**
 * `outage`: unreachable or failing · `throttled`: 429 · `slow`: answers late · `answer-lost`: takes the records, and
 * the connection breaks before its answer · `partly`: takes every other record and asks for the rest again.
 */
export type Trouble = 'outage' | 'throttled' | 'slow' | 'answer-lost' | 'partly';

export interface Receiver {
  sink(): Sink;
  /** Event ids in the order in which the receiver took them. */
  ids(): string[];
  /** Begins or ends a trouble. */
  trouble(kind: Trouble | undefined): Promise<void>;
  /** From now on the receiver refuses this record for good. */
  poison?(id: string): void;
  close(): Promise<void>;
}

export interface Harness {
  readonly name: string;
  readonly troubles: readonly Trouble[];
  /** Troubles after which a record may come twice. */
  readonly repeats: readonly Trouble[];
  /** Whether its receiver ever refuses a record for good. */
  readonly refuses: boolean;
  start(): Promise<Receiver>;
}

export const quiet: ReturnType<typeof createLog> = createLog({
  service: { name: 'test', version: '0', node: 'test' },
  level: 'fatal',
});

/** Answers when `check` is true. Gives up after a while, so that a failed test ends the process too. */
export async function until(check: () => boolean): Promise<void> {
  for (let waited = 0; !check(); waited += 5) {
    if (waited > 30_000) throw new Error(`gave up waiting for: ${check.toString()}`);
    await sleep(5);
  }
}

interface Run {
  readonly outbox: Outbox;
  readonly receiver: Receiver;
  ship(): Shipper;
  append(count: number): Promise<string[]>;
  settled(shipper: Shipper): Promise<void>;
}

async function begin(t: TestContext, harness: Harness): Promise<Run> {
  const directory = directoryFor(t);
  const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 64 * 1024 });
  const receiver = await harness.start();
  const shippers: Shipper[] = [];
  t.after(async () => {
    await Promise.all(shippers.map((shipper) => shipper.stop()));
    await receiver.close();
    await outbox.close();
  });
  return {
    outbox,
    receiver,
    ship: () => {
      const sink = receiver.sink();
      const pace = { lingerMs: 1, firstRetryMs: 5, lastRetryMs: 20 };
      const around = { log: quiet, now: Date.now, random: Math.random };
      const shipper = new Shipper({ outbox, sink, ...around, ...pace });
      shippers.push(shipper);
      shipper.start();
      return shipper;
    },
    append: async (count) => {
      const documents = Array.from({ length: count }, () => document({ filler: 300 }));
      await Promise.all(documents.map((one) => outbox.append(one)));
      return documents.map(({ event }) => event.id);
    },
    settled: (shipper) => until(() => bytesAfter(directory, shipper.cursor.position) === 0),
  };
}

function firsts(ids: readonly string[]): string[] {
  return [...new Set(ids)];
}

/** The suite, to be called once for each sink. */
export function sinkContract(harness: Harness): void {
  describe(`the ${harness.name} sink`, { timeout: 60_000 }, () => {
    test('delivers everything once and in order, and goes on where it stopped', async (t) => {
      const { receiver, ship, append, settled, outbox } = await begin(t, harness);
      const before = await append(300);
      const first = ship();
      const during = await append(300);
      await settled(first);
      await first.stop();
      const after = await append(300);
      const second = ship();
      await settled(second);
      await until(() => receiver.ids().length >= 900);
      assert.deepEqual(receiver.ids(), [...before, ...during, ...after]);
      assert.equal(second.cursor.delivered, 900);
      await second.stop();
      assert.deepEqual(readCursor(outbox.directory, second.sink.name), second.cursor);
    });

    for (const trouble of harness.troubles) {
      test(`loses nothing through: ${trouble}`, async (t) => {
        const { receiver, ship, append, settled } = await begin(t, harness);
        const shipper = ship();
        const before = await append(50);
        await settled(shipper);
        await receiver.trouble(trouble);
        const during = await append(200);
        if (trouble === 'slow') await until(() => receiver.ids().length > 50);
        else await until(() => shipper.retries >= 3);
        assert.equal(shipper.healthy, trouble === 'slow');
        await receiver.trouble(undefined);
        const after = await append(50);
        await settled(shipper);
        const all = [...before, ...during, ...after];
        await until(() => firsts(receiver.ids()).length >= all.length);
        const got = receiver.ids();
        if (trouble === 'partly') assert.deepEqual(new Set(got), new Set(all));
        else assert.deepEqual(firsts(got), all);
        if (!harness.repeats.includes(trouble)) assert.equal(got.length, all.length, 'no repeats');
        assert.equal(shipper.healthy, true);
        assert.equal(shipper.cursor.deadLetters, 0);
      });
    }

    if (!harness.refuses) return;
    test('puts a record that is refused for good aside and delivers the others', async (t) => {
      const { receiver, ship, append, settled, outbox } = await begin(t, harness);
      const ids = await append(101);
      const poisoned = [ids[0], ids[50], ids[100]].map(String);
      for (const id of poisoned) receiver.poison?.(id);
      const shipper = ship();
      await settled(shipper);
      const rest = ids.filter((id) => !poisoned.includes(id));
      assert.deepEqual(firsts(receiver.ids()), rest);
      assert.equal(shipper.cursor.deadLetters, 3);
      const letters = readFileSync(deadLetterPath(outbox.directory, shipper.sink.name), 'utf8')
        .trim()
        .split('\n');
      assert.deepEqual(
        letters.map((letter) => JSON.parse(JSON.parse(letter).record).event.id),
        poisoned,
      );
    });
  });
}
