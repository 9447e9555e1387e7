// What the outbox promises: answered means written, numbered without gaps, repaired after a crash, bounded.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { EcsDocument } from '#siem/ecs/document';
import { OutboxError } from '#siem/outbox/error';
import { Outbox, type OutboxOptions } from '#siem/outbox/outbox';
import { readOutbox } from '#siem/outbox/read';
import { listSegments, segmentPath } from '#siem/outbox/segment';
import { directoryFor, document } from './documents.ts';

function openOutbox(t: TestContext, directory: string, options: Partial<OutboxOptions> = {}): Outbox {
  const outbox = new Outbox({ directory, now: Date.now, ...options });
  t.after(() => outbox.close());
  return outbox;
}

async function sequences(directory: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { document: one } of readOutbox(directory)) found.push(one.event.sequence);
  return found;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => error instanceof OutboxError && error.code === code;
}

test('what the system refuses at the start is told with its place', (t) => {
  const directory = directoryFor(t);
  mkdirSync(segmentPath(directory, 1));
  assert.throws(() => openOutbox(t, directory), {
    code: 'io',
    message: `the outbox cannot be written: ${segmentPath(directory, 1)}: it is a directory`,
  });
});

describe('append', () => {
  test('answers when the record can be read from the file', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory);
    const one = document();
    await outbox.append(one);
    const text = readFileSync(segmentPath(directory, 1), 'utf8');
    assert.equal(text, `${JSON.stringify(one)}\n`);
    assert.equal(JSON.parse(text).event.sequence, 1);
  });

  test('numbers concurrent records in the order of the calls', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory);
    const documents = Array.from({ length: 2_000 }, () => document({ filler: 500 }));
    await Promise.all(documents.map((one, index) => outbox.append(one, { durable: index % 7 === 0 })));
    assert.deepEqual(
      documents.map((one) => one.event.sequence),
      upTo(2_000),
    );
    assert.deepEqual(await sequences(directory), upTo(2_000));
  });

  test('refuses what is no JSON or too long, alone and without using up a number', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory);
    const endless = { ...document(), loop: 1n } as unknown as EcsDocument;
    const [first, long, bad, last] = await Promise.allSettled([
      outbox.append(document()),
      outbox.append(document({ filler: 1024 * 1024 })),
      outbox.append(endless),
      outbox.append(document()),
    ]);
    assert.equal(first.status, 'fulfilled');
    assert.ok(long.status === 'rejected' && coded('unencodable')(long.reason));
    assert.ok(bad.status === 'rejected' && coded('unencodable')(bad.reason));
    assert.equal(last.status, 'fulfilled');
    assert.deepEqual(await sequences(directory), [1, 2]);
  });

  test('refuses after close, and close writes what was waiting', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory);
    const waiting = outbox.append(document());
    await Promise.all([waiting, outbox.close()]);
    await assert.rejects(outbox.append(document()), coded('closed'));
    assert.deepEqual(await sequences(directory), [1]);
  });
});

describe('segments', () => {
  test('are private and rotate by size, and nothing is lost between them', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory, { segmentBytes: 4_096 });
    for (let index = 0; index < 50; index++) await outbox.append(document({ filler: 300 }));
    const segments = listSegments(directory);
    assert.ok(segments.length > 4);
    assert.ok(segments.every(({ bytes }) => bytes <= 4_096));
    for (const { number } of segments) {
      assert.equal(statSync(segmentPath(directory, number)).mode & 0o777, 0o600);
    }
    assert.deepEqual(await sequences(directory), upTo(50));
  });

  test('keep their size when many records come at once', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory, { segmentBytes: 4_096 });
    await Promise.all(upTo(200).map(() => outbox.append(document({ filler: 300 }))));
    assert.ok(listSegments(directory).every(({ bytes }) => bytes <= 4_096));
    assert.deepEqual(await sequences(directory), upTo(200));
  });

  test('live in a directory made for their owner only, and one that others can read is refused', async (t) => {
    const directory = join(directoryFor(t), 'outbox');
    await new Outbox({ directory, now: Date.now }).close();
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    chmodSync(directory, 0o750);
    assert.throws(() => new Outbox({ directory, now: Date.now }), coded('loose-mode'));
  });

  test('a second writer is refused while the first lives', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory);
    assert.throws(() => new Outbox({ directory, now: Date.now }), coded('locked'));
    await outbox.close();
    await new Outbox({ directory, now: Date.now }).close();
  });
});

describe('opening again', () => {
  test('continues the numbers', async (t) => {
    const directory = directoryFor(t);
    for (let run = 0; run < 3; run++) {
      const outbox = new Outbox({ directory, now: Date.now });
      await outbox.append(document());
      await outbox.close();
    }
    assert.deepEqual(await sequences(directory), [1, 2, 3]);
  });

  for (const [name, torn] of [
    ['half a record', '{"@timestamp":"2026'],
    ['zeros that a power cut left', '\0'.repeat(5_000)],
    ['zeros that end in a newline', '\0\0\0\n'],
    ['half a character', Buffer.from('{"message":"😀').subarray(0, -2)],
  ] as const) {
    test(`cuts ${name} and says how much`, async (t) => {
      const directory = directoryFor(t);
      const first = new Outbox({ directory, now: Date.now });
      assert.equal(first.recordedUntil, 0);
      await first.append(document());
      await first.append(document({ time: 1_772_000_000_000 }));
      await first.close();
      appendFileSync(segmentPath(directory, 1), torn);
      const second = openOutbox(t, directory);
      assert.equal(second.repairedBytes, torn.length);
      assert.equal(second.recordedUntil, 1_772_000_000_000);
      await second.append(document());
      assert.deepEqual(await sequences(directory), [1, 2, 3]);
    });
  }

  test('at every byte of a torn last record keeps the ones before', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now });
    await outbox.append(document());
    const whole = outbox.end.offset;
    await outbox.append(document());
    await outbox.close();
    const path = segmentPath(directory, 1);
    const bytes = readFileSync(path);
    for (let length = bytes.length; length >= whole; length--) {
      writeFileSync(path, bytes);
      truncateSync(path, length);
      const again = new Outbox({ directory, now: Date.now });
      const kept = length === bytes.length ? 2 : 1;
      assert.equal(again.standing.sequence, kept);
      assert.equal(again.repairedBytes, length === bytes.length ? 0 : length - whole);
      await again.close();
    }
  });

  test('survives a segment with nothing whole in it', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now });
    await outbox.append(document());
    await outbox.close();
    writeFileSync(segmentPath(directory, 2), '{"torn', { mode: 0o600 });
    const again = openOutbox(t, directory);
    assert.equal(again.standing.sequence, 1);
    await again.append(document());
    assert.deepEqual(await sequences(directory), [1, 2]);
  });
});

describe('the quota', () => {
  const small = { segmentBytes: 4_096, quotaBytes: 16_384 };

  test('removes the oldest segments that nobody needs', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory, small);
    for (let index = 0; index < 100; index++) await outbox.append(document({ filler: 300 }));
    assert.ok(outbox.standing.bytes <= small.quotaBytes);
    const left = await sequences(directory);
    assert.equal(left.at(-1), 100);
    assert.ok((left[0] ?? 0) > 1);
    assert.equal(outbox.healthy, true);
  });

  test('is kept to whatever its size: the segments are small enough for it', async (t) => {
    const outbox = openOutbox(t, directoryFor(t), { quotaBytes: 16_384 });
    for (let index = 0; index < 100; index++) await outbox.append(document({ filler: 300 }));
    assert.equal(outbox.standing.sequence, 100);
    assert.ok(outbox.standing.bytes <= 16_384);
  });

  test('refuses what no longer goes in of what came at once, and numbers the rest without a gap', async (t) => {
    const directory = directoryFor(t);
    const outbox = openOutbox(t, directory, { segmentBytes: 4_096, quotaBytes: 16_384 });
    outbox.keepFrom('sink', 0);
    const settled = await Promise.allSettled(upTo(100).map(() => outbox.append(document({ filler: 300 }))));
    const kept = settled.filter(({ status }) => status === 'fulfilled').length;
    assert.ok(kept > 10 && kept < 100, `${kept} kept`);
    assert.equal(outbox.standing.refused, 100 - kept);
    assert.deepEqual(await sequences(directory), upTo(kept));
    outbox.keepFrom('sink', 3);
    await outbox.append(document());
    assert.equal(outbox.standing.sequence, kept + 1);
  });

  test('refuses when a sink still needs them, says so, and recovers by itself', async (t) => {
    const directory = directoryFor(t);
    let now = 1_000;
    const outbox = openOutbox(t, directory, { ...small, now: () => now });
    outbox.keepFrom('sink', 1);
    let kept = 0;
    await assert.rejects(async () => {
      for (;;) {
        await outbox.append(document({ filler: 300 }));
        kept += 1;
      }
    }, coded('quota'));
    assert.equal(outbox.healthy, false);
    assert.deepEqual(await sequences(directory), upTo(kept), 'nothing was removed');
    now = 2_000;
    await assert.rejects(outbox.append(document({ filler: 300 })), coded('quota'));
    assert.equal(outbox.takeInterruption(), undefined, 'it is not over');

    outbox.keepFrom('sink', 3);
    await outbox.append(document({ filler: 300 }));
    assert.equal(outbox.healthy, true);
    assert.deepEqual(outbox.takeInterruption(), { code: 'quota', from: 1_000, to: 2_000, refused: 2 });
    assert.equal(outbox.takeInterruption(), undefined);
    assert.equal((await sequences(directory)).at(-1), kept + 1, 'the refused ones took no number');
  });
});
