// The heartbeat: what keeps it from being made ends no gateway, and the next one is made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Heartbeat, type HeartbeatParts } from '#gateway/heartbeat';
import type { LogFields } from '#siem/log';

test('a heartbeat whose sinks cannot be looked at is told of, and the next is recorded', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const [recorded, told]: [string[], unknown[]] = [[], []];
  let failing = true;
  const parts = {
    recorder: { record: async ({ kind }: { kind: string }) => void recorded.push(kind) },
    outbox: { standing: {} },
    shipping: {
      standings: () => {
        if (failing) throw new Error('EMFILE: too many open files');
        return [];
      },
    },
    log: { error: ({ err }: LogFields) => void told.push(err) },
    startedAt: 0,
    now: () => 0,
    connectors: () => 0,
    policyHash: () => '',
  };
  const heartbeat = new Heartbeat(parts as unknown as HeartbeatParts);
  t.mock.timers.tick(10_000);
  await turn();
  assert.deepEqual([recorded.length, told.length], [0, 1]);
  failing = false;
  t.mock.timers.tick(10_000);
  await turn();
  assert.deepEqual([recorded, told.length], [['heartbeat'], 1]);
  heartbeat.stop();
});
