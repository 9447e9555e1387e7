// A receiver that is down for an hour of 2,000 events a second, scaled down: the events are recorded at that rate of a
// simulated clock while a real HTTP receiver refuses, then it recovers and the outbox drains. None may be missing or
// out of order, and memory must not grow with what waits.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { Shipper } from '#siem/ship/shipper';
import { WebhookSink } from '#siem/sinks/webhook';
import { examples } from '../siem/ecs/examples.ts';

const RATE = 2_000;
const HOUR_EVENTS = RATE * 3_600;
const ALLOWED_SECONDS = 15 * 60;
/** A drain that is slower than this is given up. */
const SLOWEST_PER_S = 4_000;
const START = Date.parse('2026-03-04T09:00:00.000Z');
const MIB = 1024 * 1024;

export interface OutageFigures {
  readonly outage_simulated_s: number;
  readonly outage_events: number;
  readonly outage_refused_deliveries: number;
  readonly outage_lost: number;
  readonly outage_out_of_order: number;
  readonly outage_repeats: number;
  readonly outage_drain_events_per_s: number;
  /** How long the events of a whole hour take at the measured rate, while 2,000 more come each second. */
  readonly outage_hour_drain_s: number;
  readonly outage_rss_growth_mib: number;
}

interface Receiver {
  up: boolean;
  refusals: number;
  count: number;
  last: number;
  disorder: number;
  repeats: number;
}

/** `seconds` of a simulated outage are really recorded; an hour is 3,600 and takes 24 GB. */
export async function outage(
  progress: (line: string) => void,
  seconds: number,
): Promise<{ figures: OutageFigures; held: boolean }> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-outage-'));
  const state: Receiver = { up: false, refusals: 0, count: 0, last: 0, disorder: 0, repeats: 0 };
  const server = receiver(state);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let clock = START;
  const now = (): number => clock;
  const outbox = new Outbox({ directory: join(directory, 'outbox'), now, quotaBytes: 40 * 1024 * MIB });
  const gateway = { id: 'gw1', name: 'gw1', version: '0', hostname: 'gw1' };
  const recorder = new Recorder({ outbox, gateway, now });
  const log = createLog({ service: { name: 'fault', version: '0', node: 'fault' }, level: 'fatal' });
  const sink = new WebhookSink({ name: 'hook', url, secret: 's3cret', now });
  const pace = { lingerMs: 1, firstRetryMs: 50, lastRetryMs: 500 };
  const shipper = new Shipper({ outbox, sink, log, now, random: Math.random, ...pace });
  try {
    shipper.start();
    let before = 0;
    let most = 0;
    for (let second = 1; second <= seconds; second++) {
      await Promise.all(Array.from({ length: RATE }, () => recorder.record(examples['access-decided'])));
      clock += 1_000;
      await turn();
      // The heap has its size once the first tenth is done.
      if (second === Math.ceil(seconds / 10)) before = process.memoryUsage().rss;
      most = Math.max(most, process.memoryUsage().rss);
    }
    progress(`outage: ${seconds * RATE} events wait, ${state.refusals} deliveries were refused`);
    state.up = true;
    const start = performance.now();
    const wanted = seconds * RATE;
    const giveUpMs = 30_000 + (wanted / SLOWEST_PER_S) * 1_000;
    while (state.count < wanted && performance.now() - start < giveUpMs) {
      await sleep(20);
      most = Math.max(most, process.memoryUsage().rss);
    }
    const rate = state.count / ((performance.now() - start) / 1_000);
    progress(`outage: drained ${state.count} at ${Math.round(rate)} events/s`);
    const hour = rate > RATE ? HOUR_EVENTS / (rate - RATE) : Number.MAX_SAFE_INTEGER;
    const figures: OutageFigures = {
      outage_simulated_s: seconds,
      outage_events: wanted,
      outage_refused_deliveries: state.refusals,
      outage_lost: wanted - state.count,
      outage_out_of_order: state.disorder,
      outage_repeats: state.repeats,
      outage_drain_events_per_s: Math.round(rate),
      outage_hour_drain_s: Math.round(hour),
      outage_rss_growth_mib: Math.round((most - before) / MIB),
    };
    const whole = figures.outage_lost === 0 && state.disorder === 0 && state.refusals > 0;
    return { figures, held: whole && hour <= ALLOWED_SECONDS && most - before < 192 * MIB };
  } finally {
    await shipper.stop();
    await outbox.close();
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function receiver(state: Receiver): ReturnType<typeof createServer> {
  return createServer(async (request, response) => {
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    if (!state.up) {
      state.refusals += 1;
      response.writeHead(503).end();
      return;
    }
    for (const [, digits] of body.toString('latin1').matchAll(/"sequence":(\d+),/g))
      take(state, Number(digits));
    response.writeHead(204).end();
  });
}

/** One record: the next number, or one that came before, or out of order. */
function take(state: Receiver, sequence: number): void {
  if (sequence <= state.last) {
    state.repeats += 1;
    return;
  }
  if (sequence !== state.last + 1) state.disorder += 1;
  state.count += 1;
  state.last = sequence;
}
