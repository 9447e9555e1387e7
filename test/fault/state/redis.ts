// Faults of the shared state: Redis gone, its primary killed or hung, and a primary that was cut off from the others.
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, redisServer, type Scope, sentinels } from '#test/contract/redis';
import { until } from '#test/story/part';
import type { Finding } from '../report.ts';
import { onSentinels, onServer } from './documents.ts';
import { Fleet } from './fleet.ts';
import type { FleetGateway } from './fleet-gateway.ts';
import { proxy } from './proxy.ts';

/** Longest time for which a lease lets a session live without the state, in seconds. */
const LEASE_PROMISED = 30;
/** Longest time of errors while another primary takes over, in seconds. */
const FAILOVER_PROMISED = 5;

const seconds = (milliseconds: number): number => Math.round(milliseconds / 10) / 100;

/** Asks for the app until it is refused; milliseconds from `from`. */
async function untilRefused(gateway: FleetGateway, cookie: string, from: number): Promise<number> {
  for (;;) {
    const { status } = await gateway.app(cookie);
    if (status !== 200) return performance.now() - from;
    await sleep(100);
  }
}

/** Nobody signs in, enrols or is revoked; who is signed in works on until the lease ends, and not after. */
export async function redisDown(scope: Scope): Promise<Finding> {
  const redis = await redisServer(scope);
  const fleet = await Fleet.start(scope, { state: () => onServer(redis.port) });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const { id, cookie } = await fleet.signIn();
  if ((await gateway.app(cookie)).status !== 200) throw new Error('it does not work to begin with');
  const from = performance.now();
  await redis.part.kill();
  await sleep(500);
  const still = await gateway.app(cookie);
  const signIn = await gateway.signIn();
  const revoke = await gateway.command('revoke', 'session', id);
  const token = await gateway.command('token', 'create', '--connector', 'rack-1');
  const lived = await untilRefused(gateway, cookie, from);
  const refused = await gateway.app(cookie);
  const recorded = gateway.events().some(({ event }) => event.code === 'not-decided');
  const { ready } = await gateway.ready();
  await redisServer(scope, { port: redis.port });
  await until('people sign in again', async () => (await gateway.signIn()).status === 302);
  return {
    required: `sign-in, enrolment and revocation refused; sessions live <= ${LEASE_PROMISED} s, then 503, recorded`,
    measured: `sign-in ${signIn.status}, revoke exits ${revoke.code}, token exits ${token.code}; a session ${still.status}, after ${seconds(lived)} s ${refused.status}${recorded ? ', recorded' : ''}; ready ${ready}; works again by itself`,
    held:
      still.status === 200 &&
      signIn.status === 503 &&
      revoke.code === 1 &&
      token.code === 1 &&
      refused.status === 503 &&
      recorded &&
      lived <= LEASE_PROMISED * 1000 &&
      !ready,
  };
}

/** Asks for what must write to the state until it works again, once it has failed; milliseconds of failure. */
async function outage(gateway: FleetGateway, patience: number): Promise<number> {
  const from = performance.now();
  let first: number | undefined;
  let last = from;
  while (performance.now() - from < patience) {
    const at = performance.now();
    const { status } = await gateway.signIn();
    if (status !== 302) {
      first ??= at;
      last = performance.now();
    } else if (first !== undefined && performance.now() - last > 2_000) break;
    await sleep(25);
  }
  return first === undefined ? 0 : last - first;
}

async function failover(scope: Scope, harm: 'SIGKILL' | 'SIGSTOP'): Promise<Finding> {
  const watched = await sentinels(scope);
  const state = onSentinels(
    watched.name,
    watched.sentinels.map(({ port }) => port),
  );
  const fleet = await Fleet.start(scope, { state: () => state });
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const entries = [];
  for (let i = 0; i < 6; i += 1) entries.push(await fleet.signIn());
  const kept = await fleet.signIn('ben');
  for (const { cookie } of [...entries, kept]) await gateway.app(cookie);
  await gateway.signIn();

  const acknowledged: string[] = [];
  let harmed = false;
  const revoking = (async () => {
    for (const { id, cookie } of entries) {
      if ((await gateway.command('revoke', 'session', id)).code === 0) acknowledged.push(cookie);
    }
  })();
  await until('something was revoked', () => acknowledged.length > 0);
  const measuring = outage(gateway, 20_000);
  const primary = watched.servers[0];
  primary?.part.signal(harm);
  harmed = true;
  const failed = await measuring;
  await revoking;
  const primaryNow = await watched.primary();
  let lost = 0;
  for (const cookie of acknowledged) if ((await gateway.app(cookie)).status === 200) lost += 1;
  const works = (await gateway.app(kept.cookie)).status;
  return {
    required: `<= ${FAILOVER_PROMISED} s of errors, no acknowledged revocation lost`,
    measured: `${seconds(failed)} s of errors; ${lost} of ${acknowledged.length} acknowledged revocations lost; sessions ${works}`,
    held:
      harmed &&
      primaryNow !== primary?.port &&
      failed <= FAILOVER_PROMISED * 1000 &&
      lost === 0 &&
      works === 200,
  };
}

export const primaryKilled = (scope: Scope): Promise<Finding> => failover(scope, 'SIGKILL');
export const primaryHung = (scope: Scope): Promise<Finding> => failover(scope, 'SIGSTOP');

/** A gateway that can reach only a primary which was replaced elsewhere stops, whatever that primary says. */
export async function splitBrain(scope: Scope): Promise<Finding> {
  const middle: { cut(): void }[] = [];
  const watched = await sentinels(scope, {
    // The line is in this process, which has its hands full while gateways start.
    patience: 4_000,
    through: async (port) => {
      const line = await proxy(scope, port);
      middle.push(line);
      return line.port;
    },
  });
  const primary = watched.servers[0]?.port ?? 0;
  const majority = onSentinels(
    watched.name,
    watched.sentinels.map(({ port }) => port),
  );
  const fleet = await Fleet.start(scope, {
    gateways: 2,
    // The second one is on the side of the old primary alone.
    state: (index) => (index === 0 ? majority : onServer(primary, ', replicas: 1')),
  });
  const [one, cutOff] = fleet.gateways;
  if (one === undefined || cutOff === undefined) throw new Error('there are no two gateways');
  const { id, cookie } = await fleet.signIn();
  for (const gateway of [one, cutOff]) await gateway.app(cookie);
  for (const line of middle) line.cut();
  const from = performance.now();
  const refusal = untilRefused(cutOff, cookie, from);
  await until('the others have a primary', async () => {
    const now = await watched.primary();
    return now !== undefined && !middle.some((line) => (line as { port?: number }).port === now);
  });
  await until('it is revoked there', async () => (await one.command('revoke', 'session', id)).code === 0);
  const revokedAt = performance.now() - from;
  const lived = await refusal;
  const stillThere = String(await ask(primary, 'EXISTS', `sallyport:{session}:${id}`)) === '1';
  return {
    required: `the minority denies within ${LEASE_PROMISED} s`,
    measured: `revoked in the majority after ${seconds(revokedAt)} s; the gateway in the minority denied after ${seconds(lived)} s, while its Redis still had the session: ${stillThere}`,
    held: lived <= LEASE_PROMISED * 1000 && stillThere,
  };
}
