// Two workers on one machine as a test sees them: their processes, what each recorded, and connections that may come to
// either.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { ask, redisServer, type Scope } from '#test/contract/redis';
import { freeRow } from '#test/story/ports';
import { eventsIn } from '#test/story/record';
import { onServer } from './documents.ts';
import { Fleet, type FleetOptions } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';

export async function twoWorkers(
  scope: Scope,
  { further = '', prepare }: Pick<FleetOptions, 'further' | 'prepare'> = {},
): Promise<{ fleet: Fleet; gateway: FleetGateway }> {
  const { port } = await redisServer(scope);
  // One that writes no log is warned of.
  await ask(port, 'CONFIG', 'SET', 'appendonly', 'yes');
  const relay = await freeRow(2);
  const fleet = await Fleet.start(scope, {
    state: () => onServer(port),
    further: `workers: { count: 2, relay: ${relay} }\n${further}`,
    // What the provider's certificate is from; all workers find it there.
    prepare: async (directory, index) => {
      for (const worker of ['worker-1', 'worker-2']) {
        const own = join(directory, 'state', worker);
        mkdirSync(own, { mode: 0o700 });
        cpSync(join(directory, 'state/development-ca'), join(own, 'development-ca'), { recursive: true });
      }
      await prepare?.(directory, index);
    },
  });
  const [gateway] = fleet.gateways;
  assert.ok(gateway !== undefined);
  return { fleet, gateway };
}

export const outboxOf = (gateway: FleetGateway, worker: number): string =>
  join(gateway.directory, `state/worker-${worker}/outbox`);

export const allowsOf = (gateway: FleetGateway, worker: number): number =>
  eventsIn(outboxOf(gateway, worker)).filter(({ event }) => event.action === 'access-allowed').length;

/** Asks on a connection of its own, which may come to either worker; 0 if it was cut off. */
export async function askAnew(fleet: Fleet, gateway: FleetGateway, cookie: string): Promise<number> {
  const agent = new Agent({ connect: { ca: fleet.ca, lookup: gateway.lookup }, pipelining: 0 });
  try {
    const reply = await request(`https://wiki.localhost:${fleet.people}/`, {
      dispatcher: agent,
      headers: { cookie, accept: 'application/json' },
      signal: AbortSignal.timeout(10_000),
    });
    await reply.body.dump();
    return reply.statusCode;
  } catch {
    return 0;
  } finally {
    await agent.destroy();
  }
}

/** The process of a worker: a child of its supervisor, found by what the kernel knows of it. */
export function pidOf(gateway: FleetGateway, worker: number): number | undefined {
  const children = readFileSync(`/proc/${gateway.part.pid}/task/${gateway.part.pid}/children`, 'utf8');
  return children
    .trim()
    .split(' ')
    .map(Number)
    .find((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8')
          .split('\0')
          .includes(`SALLYPORT_WORKER=${worker}`);
      } catch {
        return false;
      }
    });
}
