// How the outbox is carried to a sink whose receiver answers oddly: what it refuses is set aside once, and only while it
// takes anything else.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Outbox } from '#siem/outbox/outbox';
import { readCursor } from '#siem/ship/cursor';
import { deadLetterPath } from '#siem/ship/dead-letters';
import { Shipper } from '#siem/ship/shipper';
import { bytesAfter } from '#siem/ship/shipping';
import { DELIVERED, type Sink, SinkError, type Verdict } from '#siem/sinks/sink';
import { directoryFor, document } from '../outbox/documents.ts';
import { quiet, until } from '../sinks/contract.ts';

type Answer = 'taken' | 'again' | 'refused';

/** A receiver that answers for each record as it is told, one by one or for the whole batch. */
class Odd implements Sink {
  readonly name = 'odd';
  readonly type = 'test';
  readonly taken: string[] = [];
  readonly #answer: (id: string) => Answer;
  readonly #whole: boolean;

  constructor(answer: (id: string) => Answer, whole = false) {
    this.#answer = answer;
    this.#whole = whole;
  }

  async deliver(batch: readonly { readonly line: Buffer }[]): Promise<readonly Verdict[]> {
    const ids = batch.map(({ line }) => JSON.parse(line.toString('utf8')).event.id as string);
    const answers = ids.map(this.#answer);
    if (this.#whole && answers.includes('refused')) throw new SinkError('batch-rejected', 'it answered 400');
    this.taken.push(...ids.filter((_, index) => answers[index] === 'taken'));
    return answers.map((answer) => {
      if (answer === 'taken') return DELIVERED;
      return { kind: answer === 'again' ? 'retry' : 'rejected', why: answer };
    });
  }

  async close(): Promise<void> {}
}

function begin(t: TestContext, now: () => number = Date.now) {
  const directory = directoryFor(t);
  const outbox = new Outbox({ directory, now: Date.now });
  t.after(() => outbox.close());
  return {
    directory,
    append: async (count: number): Promise<string[]> => {
      const documents = Array.from({ length: count }, () => document({ filler: 300 }));
      await Promise.all(documents.map((one) => outbox.append(one)));
      return documents.map(({ event }) => event.id);
    },
    ship: (sink: Sink): Shipper => {
      const pace = { lingerMs: 1, firstRetryMs: 5, lastRetryMs: 20, random: Math.random };
      const shipper = new Shipper({ outbox, sink, log: quiet, now, ...pace });
      t.after(() => shipper.stop());
      shipper.start();
      return shipper;
    },
    settled: (shipper: Shipper) => until(() => bytesAfter(directory, shipper.cursor.position) === 0),
    letters: (): string[] => {
      const path = deadLetterPath(directory, 'odd');
      if (!existsSync(path)) return [];
      const lines = readFileSync(path, 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(JSON.parse(line).record).event.id);
    },
  };
}

test('what is refused behind a record that has to come again is set aside once, and counted once', async (t) => {
  const { append, ship, settled, letters } = begin(t);
  const [first = '', bad = '', last = ''] = await append(3);
  let asked = 0;
  const sink = new Odd((id) => {
    if (id === bad) return 'refused';
    return id === first && asked++ < 2 ? 'again' : 'taken';
  });
  const shipper = ship(sink);
  await settled(shipper);
  assert.deepEqual(letters(), [bad]);
  assert.deepEqual(sink.taken.toSorted(), [first, last].toSorted());
  assert.deepEqual([shipper.cursor.delivered, shipper.cursor.deadLetters], [2, 1]);
});

for (const whole of [false, true]) {
  const how = whole ? 'whole batches' : 'every record';
  test(`a receiver that refuses ${how}, whatever is in it, makes no dead letters, and nothing is lost`, async (t) => {
    const { append, ship, settled, letters } = begin(t);
    let wrong = true;
    const sink = new Odd(() => (wrong ? 'refused' : 'taken'), whole);
    const before = await append(20);
    const shipper = ship(sink);
    await until(() => shipper.retries >= 3);
    assert.equal(shipper.healthy, false);
    wrong = false;
    await settled(shipper);
    wrong = true;
    const during = await append(20);
    const { retries } = shipper;
    await until(() => shipper.retries >= retries + 3);
    wrong = false;
    await settled(shipper);
    assert.deepEqual(letters(), []);
    assert.deepEqual(sink.taken, [...before, ...during]);
    assert.equal(shipper.healthy, true);
  });

  test(`a record refused alone (${how}) is set aside while the receiver takes what it took before`, async (t) => {
    const { append, ship, settled, letters } = begin(t);
    let bad = new Set<string>();
    const sink = new Odd((id) => (bad.has(id) ? 'refused' : 'taken'), whole);
    const first = ship(sink);
    const good = await append(3);
    await settled(first);
    await first.stop();
    // Also by a process that has not delivered anything itself.
    bad = new Set(await append(2));
    const second = ship(sink);
    await settled(second);
    assert.deepEqual(letters(), [...bad]);
    assert.deepEqual([...new Set(sink.taken)], good);
    assert.deepEqual([second.cursor.delivered, second.cursor.deadLetters], [3, 2]);
  });
}

test('a clock that is set back does not keep the cursor from being saved', async (t) => {
  let now = Date.now();
  const { directory, append, ship, settled } = begin(t, () => now);
  const shipper = ship(new Odd(() => 'taken'));
  await append(1);
  await settled(shipper);
  now -= 3_600_000;
  await append(1);
  await settled(shipper);
  assert.deepEqual(readCursor(directory, 'odd').position, shipper.cursor.position);
});

test('how far it got cannot be kept, as on a full disk: it stops in order all the same', async (t) => {
  const { directory, append, ship, settled } = begin(t);
  writeFileSync(join(directory, 'cursors'), '');
  let closed = 0;
  const sink = new Odd(() => 'taken');
  sink.close = async () => {
    closed += 1;
  };
  const shipper = ship(sink);
  await append(3);
  await settled(shipper);
  await shipper.stop();
  assert.equal(closed, 1);
  assert.equal(sink.taken.length, 3);
});
