// What workers that are no more have left is delivered, once, and what is in use is left alone.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { GatewayConfig } from '#gateway/config';
import { shipLeftovers } from '#gateway/workers/leftovers';
import { recordDirectories, workerDirectory } from '#gateway/workers/share';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { until } from '#test/story/part';

async function recordIn(directory: string, message: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const outbox = new Outbox({ directory: join(directory, 'outbox'), now: Date.now });
  const gateway = { id: 'edge', name: 'edge', version: '0', hostname: 'host' };
  const recorder = new Recorder({ outbox, gateway, now: Date.now });
  await recorder.record({ kind: 'gateway-stopped', reason: message, uptimeMs: 1 });
  await outbox.close();
}

function stateFor(t: TestContext): string {
  const state = mkdtempSync(join(tmpdir(), 'sallyport-leftovers-'));
  t.after(() => rmSync(state, { recursive: true, force: true }));
  return state;
}

test('each is shipped to its end, to where it was shipped before', async (t) => {
  const state = stateFor(t);
  const path = join(state, 'shipped.jsonl');
  await recordIn(state, 'from one process');
  await recordIn(workerDirectory(state, 1), 'in use');
  await recordIn(workerDirectory(state, 3), 'from worker 3');
  assert.deepEqual(recordDirectories(state), [state, workerDirectory(state, 1), workerDirectory(state, 3)]);
  const config = {
    ...{ name: 'edge', state, outbox: { quota: 2 ** 30 }, listen: {}, store: {} },
    siem: { namespace: 'default', sinks: [{ name: 'soc', type: 'files', path, rotateMiB: 100, keep: 5 }] },
  } as unknown as GatewayConfig;
  const log = { info: () => {}, warn: () => {}, error: () => {} } as never;
  const around = { log, now: Date.now, random: () => 0 };
  const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

  for (let again = 0; again < 2; again += 1) {
    const leftovers = shipLeftovers(config, [workerDirectory(state, 1)], around);
    await until('both are delivered', () => read(path) !== '' && read(`${path}.worker-3`) !== '');
    await leftovers.stop();
  }
  assert.deepEqual(
    [path, `${path}.worker-3`, `${path}.worker-1`].map((file) => read(file).match(/"reason":"[^"]+"/g)),
    [['"reason":"from one process"'], ['"reason":"from worker 3"'], null],
  );
  const { sinks: _, ...without } = config.siem;
  await shipLeftovers({ ...config, siem: { ...without, sinks: [] } }, [], around).stop();
});
