// Ships what workers that are no more have recorded and not delivered: a gateway may have fewer workers than before, or
// be several where it was one, and no event is lost by that.
import { basename, join } from 'node:path';
import type { GatewayConfig } from '#gateway/config';
import type { SiemConfig } from '#siem/config';
import { Outbox } from '#siem/outbox/outbox';
import { type Surroundings, startShipping } from '#siem/ship/shipping';
import { recordDirectories, workerConfig } from './share.ts';

/** How often it is looked whether all is delivered, in milliseconds. */
const LOOK = 1_000;

export interface Leftovers {
  stop(): Promise<void>;
}

/** Ships, each to its end, the records below the gateway's directory that are in none of `inUse`. */
export function shipLeftovers(
  config: GatewayConfig,
  inUse: readonly string[],
  around: Surroundings,
): Leftovers {
  const left = recordDirectories(config.state).filter((directory) => !inUse.includes(directory));
  const stops: (() => Promise<void>)[] = [];
  for (const directory of config.siem.sinks.length === 0 ? [] : left) {
    try {
      stops.push(ship(config, directory, around));
    } catch (error) {
      around.log.error({ err: error, directory }, 'what was recorded there is not delivered');
    }
  }
  return {
    stop: async () => {
      await Promise.all(stops.map((stop) => stop()));
    },
  };
}

function ship(config: GatewayConfig, directory: string, around: Surroundings): () => Promise<void> {
  const { log, now } = around;
  const outbox = new Outbox({
    directory: join(directory, 'outbox'),
    quotaBytes: config.outbox.quota,
    now,
  });
  const shipping = startShipping(outbox, siemOf(config, directory), around);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    clearInterval(timer);
    stopped ??= shipping.stop().then(() => outbox.close());
    return stopped;
  };
  const timer = setInterval(() => {
    try {
      if (shipping.standings().some(({ lagBytes }) => lagBytes > 0)) return;
    } catch {
      // As with too many open files: the next look tells.
      return;
    }
    log.info({ directory }, 'all that was recorded there is delivered');
    void stop();
  }, LOOK).unref();
  return stop;
}

/** With the sinks that it had, of which a file is its own. */
function siemOf(config: GatewayConfig, directory: string): SiemConfig {
  const number = Number(/^worker-(\d+)$/.exec(basename(directory))?.[1] ?? Number.NaN);
  return Number.isNaN(number) ? config.siem : workerConfig(config, number).siem;
}
