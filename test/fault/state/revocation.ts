// Access that is taken away: from streams that are open, and from a connector that comes back.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { redisServer, type Scope } from '#test/contract/redis';
import { until } from '#test/story/part';
import type { Finding } from '../report.ts';
import { onServer } from './documents.ts';
import { Fleet } from './fleet.ts';

const STREAMS = 40;

/** Streams of as many sessions at two gateways, each revoked through the other one; p99 to its close. */
export async function revokeStreams(scope: Scope): Promise<Finding> {
  const redis = await redisServer(scope);
  const fleet = await Fleet.start(scope, { gateways: 2, state: () => onServer(redis.port) });
  const [one, other] = fleet.gateways;
  if (one === undefined || other === undefined) throw new Error('there are no two gateways');
  const took: number[] = [];
  const open = [];
  for (let i = 0; i < STREAMS; i += 1) {
    const entry = await fleet.signIn();
    const at = i % 2 === 0 ? one : other;
    open.push({ entry, by: i % 2 === 0 ? other : one, stream: await at.stream(entry.cookie) });
  }
  for (const { entry, by, stream } of open) {
    const from = performance.now();
    const done = await by.revoke('session', entry.id);
    if (done !== 200) throw new Error(`revoking answered ${done}`);
    took.push((await stream.ended) - from);
  }
  took.sort((a, b) => a - b);
  const p99 = took[Math.ceil(took.length * 0.99) - 1] ?? Number.NaN;
  return {
    required: 'closed at the other gateway, p99 <= 2 s',
    measured: `${took.length} streams, p50 ${Math.round(took[took.length >> 1] ?? 0)} ms, p99 ${Math.round(p99)} ms`,
    held: p99 <= 2_000,
  };
}

/** Its tunnel is cut, and its first dial with the same certificate is refused. */
export async function revokedConnector(scope: Scope): Promise<Finding> {
  const fleet = await Fleet.start(scope);
  const [gateway] = fleet.gateways;
  if (gateway === undefined) throw new Error('there is no gateway');
  const { cookie } = await fleet.signIn();
  const before = (await gateway.app(cookie)).status;
  const { code } = await gateway.command('revoke', 'connector', 'rack-1');
  const after = (await gateway.app(cookie)).status;
  const connected = (): number =>
    gateway.events().filter(({ event }) => event.action === 'connector-connected').length;
  const tunnels = connected();
  await gateway.connector?.stop();
  gateway.startConnector();
  const refused = await until('it is refused', () =>
    gateway.events().find(({ event }) => event.action === 'connector-refused'),
  );
  const again = connected() - tunnels;
  await gateway.connector?.stop();
  rmSync(join(gateway.directory, 'connector-state'), { recursive: true });
  await gateway.connect();
  const enrolled = (await gateway.app(cookie)).status;
  return {
    required: 'refused the first time; a new token admits it',
    measured: `app ${before}, revoked ${code === 0}, app ${after}; came back: ${refused.event.code}, ${again} tunnels; enrolled anew: app ${enrolled}`,
    held: before === 200 && code === 0 && after === 502 && again === 0 && enrolled === 200,
  };
}
