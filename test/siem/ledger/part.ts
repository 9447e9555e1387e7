// A ledger with its outbox and recorder in a directory that goes away, for the tests of logs and of those who check them.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Ledger } from '#siem/ledger/ledger';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { examples } from '../ecs/examples.ts';

const ORIGIN = 'access.example.com/gw1';
const log = createLog({
  service: { name: 'test', version: '0', node: 'test' },
  level: 'fatal',
});

export function stateFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-ledger-'));
  chmodSync(directory, 0o700);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface Part {
  readonly outbox: Outbox;
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  close(): Promise<void>;
}

export interface PartOptions {
  readonly segmentBytes?: number;
  readonly quotaBytes?: number;
  readonly now?: () => number;
}

/** Like a gateway's: what is recorded goes to the outbox and into the logs. */
export async function startPart(state: string, options: PartOptions = {}): Promise<Part> {
  const now = options.now ?? Date.now;
  const outbox = new Outbox({ now, ...options, directory: join(state, 'outbox') });
  const directory = join(state, 'ledger');
  const ledger = await Ledger.open({ directory, outbox, origin: ORIGIN, log }).catch(
    async (error: unknown) => {
      await outbox.close();
      throw error;
    },
  );
  const gateway = { id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1.example' };
  const recorder = new Recorder({ outbox, ledger, gateway, now });
  ledger.start((event) => recorder.record(event));
  return {
    outbox,
    ledger,
    recorder,
    close: async () => {
      await ledger.close();
      await outbox.close();
    },
  };
}

/** One life of a gateway: starts, loads a policy, decides `decisions` times, stops. */
export async function live(state: string, decisions: number, options: PartOptions = {}): Promise<string[]> {
  const part = await startPart(state, options);
  const ids = [
    await part.recorder.record(examples['policy-loaded']),
    await part.recorder.record(examples['gateway-started']),
  ];
  for (let done = 0; done < decisions; done++) {
    ids.push(await part.recorder.record(examples['access-decided']));
    if (done % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  ids.push(await part.recorder.record(examples['gateway-stopped'], { durable: true }));
  await part.close();
  return ids;
}
