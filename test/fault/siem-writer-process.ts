// The process that is killed: records as fast as it can, ships to a webhook, and says what was acknowledged.
// argv: outbox directory, URL of the webhook, file for the ids that were acknowledged; or `drain`.
import { openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { Ledger } from '#siem/ledger/ledger';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { Shipper } from '#siem/ship/shipper';
import { WebhookSink } from '#siem/sinks/webhook';
import { examples } from '../siem/ecs/examples.ts';

const [directory = '', url = '', task = ''] = process.argv.slice(2);
const log = createLog({ service: { name: 'fault', version: '0', node: 'fault' }, level: 'fatal' });
const outbox = new Outbox({ directory, now: Date.now, segmentBytes: 4 * 1024 * 1024 });
const gateway = { id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' };
const ledgers = join(dirname(directory), 'ledger');
const ledger = await Ledger.open({ directory: ledgers, outbox, origin: 'fault.example/gw1', log });
const recorder = new Recorder({ outbox, ledger, gateway, now: Date.now });
ledger.start((event) => recorder.record(event));
const sink = new WebhookSink({ name: 'hook', url, secret: 's3cret', now: Date.now });
const around = { log, now: Date.now, random: Math.random };
const shipper = new Shipper({ outbox, sink, ...around, lingerMs: 1, firstRetryMs: 5, lastRetryMs: 20 });
shipper.start();
writeSync(1, `ready ${outbox.repairedBytes}\n`);

// Only what is there is shipped.
if (task === 'drain') {
  await ledger.close();
  while (
    shipper.cursor.position.segment < outbox.end.segment ||
    shipper.cursor.position.offset < outbox.end.offset
  ) {
    await turn();
  }
  await shipper.stop();
  await outbox.close();
} else {
  const acknowledged = openSync(task, 'a');
  const kinds = [examples['access-decided'], examples.logout, examples['stream-closed']];
  for (let round = 0; ; round++) {
    // A change now and then waits for its log.
    const events = round % 50 === 0 ? [...kinds, examples['connector-renewed']] : kinds;
    const pending = events.map((event) => recorder.record(event));
    const ids = await Promise.all(pending);
    writeSync(acknowledged, `${ids.join('\n')}\n`);
    await turn();
  }
}
