// The recorder: ids, numbers over restarts, failure that reaches the caller, and the report of an interruption.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EcsDocument, NumberedLine } from '#siem/ecs/document';
import { OutboxError } from '#siem/outbox/error';
import { Outbox } from '#siem/outbox/outbox';
import { findEvent, readOutbox } from '#siem/outbox/read';
import type { Interruption } from '#siem/outbox/troubles';
import { Recorder } from '#siem/recorder';
import { examples } from './ecs/examples.ts';
import { violations } from './ecs/schema.ts';
import { directoryFor } from './outbox/documents.ts';

const gateway = { id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' };
const now = (): number => Date.parse('2026-03-04T09:12:13.456Z');

describe('record', () => {
  test('keeps each kind as one valid document under the id it answers, numbered over restarts', async (t) => {
    const directory = directoryFor(t);
    const ids: string[] = [];
    for (const event of Object.values(examples)) {
      const outbox = new Outbox({ directory, now });
      const recorder = new Recorder({ outbox, gateway, namespace: 'test', now });
      ids.push(await recorder.record(event, { durable: true }));
      await outbox.close();
    }
    const entries = await Array.fromAsync(readOutbox(directory));
    assert.deepEqual(
      entries.map(({ document }) => [document.event.id, document.event.sequence]),
      ids.map((id, index) => [id, index + 1]),
    );
    for (const { document } of entries) {
      assert.deepEqual(violations(document), []);
      assert.equal(document.data_stream.namespace, 'test');
    }
  });

  test('uses the id that the person was shown', async (t) => {
    const directory = directoryFor(t);
    const outbox = new Outbox({ directory, now });
    t.after(() => outbox.close());
    const recorder = new Recorder({ outbox, gateway, now });
    const id = recorder.newId();
    assert.equal(await recorder.record(examples['access-decided'], { id }), id);
    assert.equal((await findEvent(directory, id))?.event['action'], 'access-denied');
  });
});

/** Keeps records in memory and fails when told to. */
class FailingKeeper {
  readonly kept: EcsDocument[] = [];
  failure: OutboxError | undefined;
  interruption: Interruption | undefined;
  get healthy(): boolean {
    return this.failure === undefined;
  }
  async append(line: NumberedLine): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.kept.push(JSON.parse(line(1)) as EcsDocument);
  }
  takeInterruption(): Interruption | undefined {
    const { interruption } = this;
    this.interruption = undefined;
    return interruption;
  }
}

describe('when the outbox fails', () => {
  test('the caller is told, and after recovery an alert says what happened', async () => {
    const outbox = new FailingKeeper();
    const recorder = new Recorder({ outbox, gateway, now });
    outbox.failure = new OutboxError('no-space', 'full');
    await assert.rejects(recorder.record(examples.logout), { code: 'no-space' });
    assert.equal(recorder.healthy, false);

    outbox.failure = undefined;
    outbox.interruption = { code: 'no-space', from: now() - 5_000, to: now(), refused: 1 };
    await recorder.record(examples.logout);
    assert.equal(recorder.healthy, true);
    assert.deepEqual(
      outbox.kept.map(({ event }) => [event['action'], event['kind'], event['severity']]),
      [
        ['logout', 'event', undefined],
        ['recording-interrupted', 'alert', 99],
      ],
    );
  });
});
