// Keeps several workers on one machine at work: gives them their seats, starts again who dies, turns their ticket keys
// together, passes signals on and answers for all of them. It serves no request itself: its own end ends them.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import type { Addresses } from '#gateway/addresses';
import type { ConfigurationFile } from '#gateway/change/changes';
import type { GatewayConfig } from '#gateway/config';
import type { ListenAddress } from '#gateway/config-values';
import { healthListener } from '#gateway/console/health';
import { TICKET_KEY_LIFE, ticketSeed } from '#gateway/edge/ticket-keys';
import { configurationHash } from '#gateway/fingerprints';
import { listen, stop } from '#gateway/listeners';
import { requirePrivate } from '#gateway/state/private-files';
import type { Log } from '#siem/log';
import { adminOfAll } from './admin.ts';
import { WorkersHealth } from './health.ts';
import { shipLeftovers } from './leftovers.ts';
import { workerConfig, workerDirectory } from './share.ts';
import { WorkerProcess } from './worker-process.ts';

/** Milliseconds beyond a worker's own grace after which it is killed. */
const PATIENCE = 10_000;

export interface SupervisorOptions {
  readonly config: GatewayConfig;
  /** The document that it was read from. */
  readonly configuration: ConfigurationFile;
  readonly count: number;
  readonly log: Log;
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Starts a process that takes the seat of worker `number`. */
  launch(number: number): ChildProcess;
}

export interface Supervisor {
  readonly addresses: Addresses;
  readonly developmentCa: string | undefined;
  /** Every worker loads the policy anew. */
  reload(): void;
  /** All workers finish within `grace` milliseconds; the highest of their exit codes. A second call hurries them. */
  stop(signal: NodeJS.Signals, grace: number): Promise<number>;
}

/** Rejects if a worker does not come to serve: it has said why on stderr. Nothing is left running then. */
export async function supervise(options: SupervisorOptions): Promise<Supervisor> {
  const { count, configuration, log, launch } = options;
  mkdirSync(options.config.state, { recursive: true, mode: 0o700 });
  requirePrivate(options.config.state);
  const { config, ...claimed } = await claim(options.config, count);
  const configHash = configurationHash(options.config);
  let seed = ticketSeed();
  const workers = Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const relay = { host: config.listen.connectors.host, port: config.workers.relay + index };
    return new WorkerProcess({
      ...{ number, log, launch: () => launch(number) },
      seat: () => ({
        kind: 'seat',
        config: workerConfig(config, number),
        ...{ configuration, relay, configHash, seed },
      }),
    });
  });
  const undo: (() => unknown)[] = [];
  try {
    // One after the other has ended before it is said that there was a failure.
    const firsts = await Promise.allSettled(workers.map((worker) => worker.first));
    const failed = firsts.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const turning = setInterval(() => {
      seed = ticketSeed();
      for (const worker of workers) worker.tell({ kind: 'tickets', seed });
    }, TICKET_KEY_LIFE).unref();
    undo.push(() => clearInterval(turning));
    const health = await listen(healthListener(new WorkersHealth(workers)), config.listen.health, undo);
    const admin = await adminOfAll(config, workers);
    undo.push(() => stop(admin));
    const inUse = workers.map(({ number }) => workerDirectory(config.state, number));
    const leftovers = shipLeftovers(config, inUse, options);
    undo.push(() => leftovers.stop());
    return {
      addresses: { ...claimed, health },
      developmentCa: (await workers[0]?.first)?.developmentCa,
      reload: () => {
        for (const worker of workers) worker.signal('SIGHUP');
      },
      stop: async (signal, grace) => {
        for (const worker of workers) worker.stop(signal);
        // One that has no tunnel asks by another one's, which must not let go of it before.
        const answered = workers.map((worker) => Promise.race([worker.answered, worker.ended]));
        void Promise.all(answered).then(() => {
          for (const worker of workers) worker.tell({ kind: 'answered' });
        });
        const late = setTimeout(() => {
          for (const worker of workers) worker.signal('SIGKILL');
        }, grace + PATIENCE);
        const codes = await Promise.all(workers.map((worker) => worker.ended));
        clearTimeout(late);
        for (const step of undo.splice(0).reverse()) await step();
        return Math.max(...codes);
      },
    };
  } catch (error) {
    for (const worker of workers) worker.stop('SIGTERM');
    await Promise.all(workers.map((worker) => worker.ended));
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

interface Claimed {
  readonly config: GatewayConfig;
  readonly people: AddressInfo;
  readonly connectors: AddressInfo;
  readonly services: AddressInfo | undefined;
}

/**
 * Makes sure that nobody else listens where the workers will: they share their addresses, and would share them with a
 * stranger of the same user as well. Resolves port 0, too.
 */
async function claim(config: GatewayConfig, count: number): Promise<Claimed> {
  const { listen: at, services, workers } = config;
  const people = await vacant(at.people);
  const connectors = await vacant(at.connectors);
  const own = services && (await vacant(services.listen));
  for (let index = 0; index < count; index += 1)
    await vacant({ host: at.connectors.host, port: workers.relay + index });
  const resolved = {
    ...at,
    people: { host: at.people.host, port: people.port },
    connectors: { host: at.connectors.host, port: connectors.port },
  };
  const passing = services && { ...services, listen: { host: services.listen.host, port: own?.port ?? 0 } };
  return { config: { ...config, listen: resolved, services: passing }, people, connectors, services: own };
}

/** Throws Node's EADDRINUSE or EACCES if it cannot be listened to. */
async function vacant({ host, port }: ListenAddress): Promise<AddressInfo> {
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  const found = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return found;
}
