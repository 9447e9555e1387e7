// The history of an installation under random kills and cuts, looked through afterwards: no request is allowed after
// its session's revocation was acknowledged and the promised time had passed.
import { setTimeout as sleep } from 'node:timers/promises';
import { type RedisServer, type Scope, sentinels } from '#test/contract/redis';
import type { Finding } from '../report.ts';
import { onSentinels } from './documents.ts';
import { Fleet } from './fleet.ts';
import type { Entry, FleetGateway } from './fleet-gateway.ts';
import { type Proxy as Line, proxy } from './proxy.ts';

/** Seconds of disturbance, and after which a revocation holds even at a gateway that was cut off. */
const DISTURBED = Number(process.env['SALLYPORT_HISTORY_SECONDS'] ?? 60);
const BOUND = 30_000;
const PEOPLE = 24;

/** Evenly spread numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface History {
  readonly allowed: number;
  readonly acknowledged: number;
  /** Allowed later than the bound after the acknowledgement: must be 0. */
  readonly late: number;
  /** Milliseconds from an acknowledgement to the last allow of that session, at most. */
  readonly longest: number;
  readonly harms: readonly string[];
}

async function history(scope: Scope, seed: number): Promise<History> {
  const random = seeded(seed);
  const lines: Line[] = [];
  // Everybody reaches the first primary through a line that can be cut; where it was replaced, nobody needs that line.
  const watched = await sentinels(scope, {
    // The line is in this process, which has its hands full while gateways start.
    patience: 4_000,
    through: async (port) => {
      const line = await proxy(scope, port);
      lines.push(line);
      return line.port;
    },
  });
  const state = onSentinels(
    watched.name,
    watched.sentinels.map(({ port }) => port),
  );
  const fleet = await Fleet.start(scope, { gateways: 2, state: () => state });
  const entries: Entry[] = [];
  for (let i = 0; i < PEOPLE; i += 1) entries.push(await fleet.signIn());
  const revokedAt = new Map<string, number>();
  const stop = new AbortController();
  const load = entries.flatMap(({ cookie }) =>
    fleet.gateways.map(async (gateway) => {
      while (!stop.signal.aborted) {
        await gateway.app(cookie);
        await sleep(150 + random() * 100);
      }
    }),
  );
  const waiting = [...entries];
  const revoking = (async () => {
    while (waiting.length > 1 && !stop.signal.aborted) {
      await sleep(((DISTURBED * 1000) / PEOPLE) * (0.5 + random()));
      const gateway = fleet.gateways[Math.floor(random() * 2)];
      const entry = waiting.shift();
      if (gateway === undefined || entry === undefined) return;
      const status = await gateway.revoke('session', entry.id).catch(() => 0);
      if (status === 200) revokedAt.set(entry.id, Date.now());
    }
  })();
  const harms = await disturb(watched.servers, fleet.gateways, lines, random);
  await sleep(BOUND + 5_000);
  stop.abort();
  await Promise.all([...load, revoking]);

  const late: number[] = [];
  let allowed = 0;
  let longest = 0;
  for (const gateway of fleet.gateways) {
    for (const one of gateway.events()) {
      if (one.event.action !== 'access-allowed') continue;
      allowed += 1;
      const session = (one.sallyport as { session?: { id?: string } } | undefined)?.session?.id ?? '';
      const since = Date.parse(one['@timestamp']) - (revokedAt.get(session) ?? Number.POSITIVE_INFINITY);
      longest = Math.max(longest, since);
      if (since > BOUND) late.push(since);
    }
  }
  return { allowed, acknowledged: revokedAt.size, late: late.length, longest, harms };
}

/** Kills, hangs, cuts off and mends servers and gateways at random; everything is up again at the end. */
async function disturb(
  servers: readonly RedisServer[],
  gateways: readonly FleetGateway[],
  lines: readonly Line[],
  random: () => number,
): Promise<string[]> {
  const harms: string[] = [];
  // The first harm is always a cut: later there may be another primary, which no line leads to.
  await sleep(1_000 + random() * 2_000);
  harms.push('redis 0 cut off');
  for (const line of lines) line.cut();
  await sleep(3_000 + random() * 9_000);
  for (const line of lines) line.mend();
  const until = performance.now() + DISTURBED * 1000;
  while (performance.now() < until) {
    await sleep(1_000 + random() * 4_000);
    const victim = Math.floor(random() * servers.length);
    const server = servers[victim];
    const gateway = gateways[Math.floor(random() * gateways.length)];
    if (random() < 0.5 && server !== undefined) {
      harms.push(`redis ${victim} hung`);
      server.part.signal('SIGSTOP');
      await sleep(2_000 + random() * 6_000);
      server.part.signal('SIGCONT');
    } else if (random() < 0.6 && gateway !== undefined) {
      harms.push(`gateway ${gateway.index} killed`);
      await gateway.part.kill();
      for (let attempt = 0; attempt < 20; attempt += 1) {
        if (
          await gateway.start().then(
            () => true,
            () => false,
          )
        )
          break;
        await sleep(500);
      }
    } else if (gateway !== undefined) {
      harms.push(`gateway ${gateway.index} hung`);
      gateway.part.signal('SIGSTOP');
      await sleep(1_000 + random() * 4_000);
      gateway.part.signal('SIGCONT');
    }
  }
  return harms;
}

export async function historyHolds(scope: Scope): Promise<Finding> {
  const seed = Number(process.env['SALLYPORT_SEED'] ?? Date.now() % 1_000_000);
  const { allowed, acknowledged, late, longest, harms } = await history(scope, seed);
  return {
    required: `no allow later than ${BOUND / 1000} s after an acknowledged revocation`,
    measured: `${late} of ${allowed} allows after ${acknowledged} acknowledged revocations, the last ${Math.round(Math.max(0, longest))} ms after one; seed ${seed}: ${harms.join(', ')}`,
    held: late === 0 && acknowledged > 0 && allowed > 0,
    figures: { allows_after_revocation: late },
  };
}
