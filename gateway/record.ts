// Opens what a gateway keeps of everything that happens: outbox, transparency logs, shipping, and who writes to them.
import { join } from 'node:path';
import { acceptedChange } from '#siem/ledger/accepted-change';
import { Ledger } from '#siem/ledger/ledger';
import type { Log } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { type Shipping, startShipping } from '#siem/ship/shipping';
import type { GatewayConfig } from './config.ts';
import type { Turn } from './tunnel/turn.ts';

export interface RecordSurroundings {
  readonly version: string;
  readonly hostname: string;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
  readonly turn: Turn;
}

export interface OpenRecord {
  readonly outbox: Outbox;
  readonly recorder: Recorder;
  readonly shipping: Shipping;
  /** Id of the signed change that the log says was accepted last. */
  readonly loggedChange: string | undefined;
}

/** Nothing that is a change takes effect before it is in the transparency log. */
export async function openRecord(
  config: GatewayConfig,
  { version, hostname, log, now, random, turn }: RecordSurroundings,
  undo: (() => unknown)[],
): Promise<OpenRecord> {
  const outbox = new Outbox({
    directory: join(config.state, 'outbox'),
    quotaBytes: config.outbox.quota,
    ...{ endOfTurn: turn.record, now },
  });
  undo.push(() => outbox.close());
  const directory = join(config.state, 'ledger');
  const ledger = await Ledger.open({
    ...{ directory, outbox, log },
    origin: `${new URL(config.portal).hostname}/${config.name}`,
  });
  undo.push(() => ledger.close());
  const recorder = new Recorder({
    outbox,
    ledger,
    gateway: { id: config.name, name: config.name, version, hostname },
    now,
    namespace: config.siem.namespace,
  });
  ledger.start((event) => recorder.record(event));
  const shipping = startShipping(outbox, config.siem, { log, now, random });
  undo.push(() => shipping.stop());
  const loggedChange = acceptedChange(join(directory, 'changes'), ledger.changesLogged);
  return { outbox, recorder, shipping, loggedChange };
}
