// What the shared state costs: requests a second on one embedded gateway, on one and two that share Redis, and on two
// workers; looking a session up; and the memory of a hundred thousand sessions in use.
import { setTimeout as sleep } from 'node:timers/promises';
import { Leases } from '#gateway/identity/leases';
import { Sessions } from '#gateway/identity/sessions';
import type { Store } from '#gateway/state/store';
import { redisServer, type Scope } from '#test/contract/redis';
import { onServer } from '#test/fault/state/documents';
import { Fleet } from '#test/fault/state/fleet';
import type { FleetGateway } from '#test/fault/state/fleet-gateway';
import { twoWorkers } from '#test/fault/state/workers';
import type { BenchOptions, BenchReport } from './report.ts';

const CLIENTS = 24;
const SECONDS = Number(process.env['SALLYPORT_BENCH_SECONDS'] ?? 5);
const SESSIONS = 100_000;

/** Answers a second that `CLIENTS` clients of each gateway got. */
async function rate(gateways: readonly FleetGateway[], cookie: string): Promise<number> {
  let answers = 0;
  let until = performance.now() + 1_000;
  const client = async (gateway: FleetGateway): Promise<void> => {
    while (performance.now() < until) {
      const { status } = await gateway.app(cookie);
      if (status !== 200) throw new Error(`the app answers ${status}`);
      answers += 1;
    }
  };
  const all = (): Promise<unknown> =>
    Promise.all(
      gateways.flatMap((gateway) => Array.from({ length: CLIENTS / gateways.length }, () => client(gateway))),
    );
  await all(); // Warm.
  answers = 0;
  until = performance.now() + SECONDS * 1_000;
  await all();
  return Math.round(answers / SECONDS);
}

async function gateways(scope: Scope, count: number): Promise<Fleet> {
  const { port } = await redisServer(scope);
  return Fleet.start(scope, { gateways: count, state: () => onServer(port) });
}

/** Of the fleet that `start` gives. */
async function fleetRate(start: (scope: Scope) => Promise<Fleet>): Promise<number> {
  const steps: (() => Promise<void>)[] = [];
  const scope: Scope = { after: (step) => void steps.push(step) };
  try {
    const fleet = await start(scope);
    const { cookie } = await fleet.signIn();
    return await rate(fleet.gateways, cookie);
  } finally {
    for (const step of steps.reverse()) await step().catch(() => undefined);
  }
}

/** Memory of as many sessions in use as one gateway may have, and the time to find one by its cookie. */
export async function lookups(): Promise<{ readonly megabytes: number; readonly microseconds: number }> {
  const now = Date.now();
  const subject = (i: number) => ({
    ...{ kind: 'user' as const, id: `https://id.example.com#${i}`, name: `Person ${i}` },
    ...{ email: `person-${i}@example.com`, groups: ['corp:staff', 'corp:engineering'], roles: [] },
  });
  // A store that makes each session when it is asked for: what is measured is what the gateway keeps.
  const store = {
    get: async (kind: string, key: string) =>
      kind === 'door'
        ? { session: `session-${key}`, host: 'wiki.example.com' }
        : JSON.parse(
            JSON.stringify({
              ...{ subject: subject(key.length), login: { provider: 'corp', at: now, amr: ['pwd', 'mfa'] } },
              ...{ createdAt: now, lastSeenAt: now, expiresAt: now + 36_000_000, clientAddress: '192.0.2.1' },
            }),
          ),
    confirmedAt: () => performance.now(),
  } as unknown as Store;
  const leases = new Leases(store, () => 0);
  const limits = { idle: 3_600_000, absolute: 36_000_000 };
  const sessions = new Sessions(
    store,
    limits,
    () => now,
    async () => undefined,
    () => false,
    leases,
  );
  const cookies = Array.from({ length: SESSIONS }, (_, i) => String(i).padStart(43, 'c'));
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  for (const cookie of cookies) await sessions.find(cookie, 'wiki.example.com');
  globalThis.gc?.();
  const megabytes = (process.memoryUsage().rss - before) / 1e6;
  const from = performance.now();
  for (const cookie of cookies) await sessions.find(cookie, 'wiki.example.com');
  return { megabytes, microseconds: ((performance.now() - from) * 1_000) / SESSIONS };
}

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  progress('a hundred thousand sessions …');
  const { megabytes, microseconds } = await lookups();
  await sleep(500);
  progress('embedded …');
  const embedded = await fleetRate((scope) => Fleet.start(scope));
  progress('one gateway on Redis …');
  const one = await fleetRate((scope) => gateways(scope, 1));
  progress('two gateways on Redis …');
  const two = await fleetRate((scope) => gateways(scope, 2));
  progress('one gateway of two workers …');
  const workers = await fleetRate(async (scope) => (await twoWorkers(scope)).fleet);
  const figures = {
    rps_embedded: embedded,
    rps_redis_1: one,
    rps_redis_2: two,
    rps_workers_2: workers,
    session_lookup_us: Math.round(microseconds * 100) / 100,
    sessions_100k_mb: Math.round(megabytes),
  };
  const table = [
    `requests a second, ${CLIENTS} clients in one process beside the gateways (which is what limits them):`,
    `  embedded             ${embedded}`,
    `  1 gateway on Redis   ${one}`,
    `  2 gateways on Redis  ${two}`,
    `  1 of 2 workers       ${workers}`,
    `a session found by its cookie: ${figures.session_lookup_us} us`,
    `100,000 sessions in use: ${figures.sessions_100k_mb} MB`,
  ].join('\n');
  return { versions: {}, table, figures };
}
