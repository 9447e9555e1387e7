// Reading an outbox: while it is written, around damage, from a time or a position, and by event id.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Outbox } from '#siem/outbox/outbox';
import { findEvent, readLines, readOutbox } from '#siem/outbox/read';
import { type Position, segmentPath } from '#siem/outbox/segment';
import { uuid7Generator } from '#siem/uuid7';
import { directoryFor, document } from './documents.ts';

describe('readOutbox', () => {
  test('follows a writer by positions and never sees half a record', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 20_000 });
    t.after(() => outbox.close());
    const total = 1_000;
    const writing = (async () => {
      for (let index = 0; index < total; index += 10) {
        await Promise.all(Array.from({ length: 10 }, () => outbox.append(document({ filler: 200 }))));
      }
    })();
    const seen: number[] = [];
    let from: Position = { segment: 0, offset: 0 };
    while (seen.length < total) {
      await outbox.beyond(from);
      for await (const entry of readOutbox(directory, { from, onDamage: () => assert.fail('damage') })) {
        seen.push(entry.document.event.sequence);
        from = entry.next;
      }
    }
    await writing;
    assert.deepEqual(
      seen,
      Array.from({ length: total }, (_, index) => index + 1),
    );
  });

  test('leaves a torn last line for later', async (t) => {
    const directory = directoryFor(t);
    const line = `${JSON.stringify(document())}\n`;
    writeFileSync(segmentPath(directory, 1), line + line.slice(0, 20));
    const count = async (): Promise<number> => (await Array.fromAsync(readOutbox(directory))).length;
    assert.equal(await count(), 1);
    appendFileSync(segmentPath(directory, 1), line.slice(20));
    assert.equal(await count(), 2);
  });

  test('goes on after a damaged line and names its place', async (t) => {
    const directory = directoryFor(t);
    const line = `${JSON.stringify(document())}\n`;
    writeFileSync(segmentPath(directory, 1), `${line}garbage\n${line}`);
    writeFileSync(segmentPath(directory, 2), `${'x'.repeat(3 * 1024 * 1024)}\n${line}`);
    const damaged: Position[] = [];
    const entries = await Array.fromAsync(
      readOutbox(directory, { onDamage: (place) => damaged.push(place) }),
    );
    assert.equal(entries.length, 3);
    assert.deepEqual(damaged[0], { segment: 1, offset: line.length });
    assert.ok(damaged.length >= 2 && damaged.slice(1).every(({ segment }) => segment === 2));
  });

  test('gives lines that are exactly the bytes of the file', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now });
    for (let index = 0; index < 3_000; index++) void outbox.append(document({ filler: index % 500 }));
    await outbox.close();
    const lines = (await Array.fromAsync(readLines(directory))).flat();
    const joined = Buffer.concat(lines.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]));
    assert.ok(joined.equals(readFileSync(segmentPath(directory, 1))));
  });

  test('begins at a time', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 2_000 });
    const start = Date.parse('2026-03-01T00:00:00Z');
    for (let hour = 0; hour < 48; hour++) {
      await outbox.append(document({ time: start + hour * 3_600_000, filler: 300 }));
    }
    await outbox.close();
    const entries = await Array.fromAsync(readOutbox(directory, { since: start + 40 * 3_600_000 }));
    assert.equal(entries.length, 8);
  });
});

describe('findEvent', () => {
  test('finds every record by its id, also one whose clock was wrong', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 4_000 });
    let now = Date.parse('2026-03-01T00:00:00Z');
    const newId = uuid7Generator(() => now);
    const ids: string[] = [];
    for (let index = 0; index < 60; index++) {
      now += index === 30 ? -86_400_000 : 600_000;
      const id = newId();
      ids.push(id);
      await outbox.append(document({ id, time: now, filler: 200 }));
    }
    await outbox.close();
    for (const id of ids) assert.equal((await findEvent(directory, id))?.event.id, id);
    assert.equal(await findEvent(directory, newId()), undefined);
  });

  test('does not take a document that mentions an id for the one that has it', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now: Date.now });
    const newId = uuid7Generator(Date.now);
    const wanted = newId();
    await outbox.append({ ...document(), sallyport: { decision: { id: wanted } } });
    await outbox.append({ ...document({ id: wanted }), message: 'this one' });
    await outbox.close();
    assert.equal((await findEvent(directory, wanted))?.message, 'this one');
  });
});
