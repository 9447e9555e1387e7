// What a Redis server says of itself that makes it unfit to hold the state, or will some day.
import { Cluster } from 'ioredis';
import { StateError } from './error.ts';
import type { RedisClient } from './redis-connections.ts';

/** GETDEL and ZRANGE as we use them are from here. */
const OLDEST: readonly [major: number, minor: number] = [6, 2];
/** Milliseconds between two clocks that nobody needs to look at. */
const TOLERANCE = 60_000;

/** What to look after, in words. Rejects with StateError where a server cannot hold the state at all. */
export async function redisWarnings(client: RedisClient, now: () => number): Promise<readonly string[]> {
  const servers = client instanceof Cluster ? client.nodes('master') : [client];
  const found = await Promise.all(servers.map(async (server) => warningsOf(await server.info(), now())));
  return [...new Set(found.flat())];
}

/** Exported for tests. `info`: the answer to INFO; `now`: epoch milliseconds. Throws StateError. */
export function warningsOf(info: string, now: number): readonly string[] {
  const facts = new Map(
    info.split(/\r?\n/).map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]),
  );
  const [major = 0, minor = 0] = (facts.get('redis_version') ?? '').split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    const message = `Redis ${facts.get('redis_version')} is too old: ${OLDEST.join('.')} or later is needed`;
    throw new StateError('state-unfit', message);
  }
  if (facts.get('role') === 'slave') {
    const primary = `${facts.get('master_host')}:${facts.get('master_port')}`;
    const message = `the Redis that the configuration names is a read-only replica: name its primary (${primary}), or Sentinels that know it`;
    throw new StateError('state-unfit', message);
  }
  const warnings: string[] = [];
  const policy = facts.get('maxmemory_policy') ?? 'noeviction';
  // What is dropped may be a revocation.
  if (policy !== 'noeviction')
    warnings.push(
      `Redis drops records when its memory is full, revocations too (maxmemory-policy ${policy}): set maxmemory-policy noeviction`,
    );
  // A primary that is started again before Sentinels notice takes its replicas back with it.
  if (facts.get('aof_enabled') === '0')
    warnings.push(
      'Redis writes no log (appendonly no): one that is started again has forgotten what was revoked last, and its replicas follow it: set appendonly yes',
    );
  const theirs = Number(facts.get('server_time_usec')) / 1_000;
  const apart = Math.round((now - theirs) / 1_000);
  if (Math.abs(apart) * 1_000 > TOLERANCE)
    warnings.push(
      `the clock here is ${Math.abs(apart)} s ${apart > 0 ? 'ahead of' : 'behind'} that of Redis: compare both with the right time`,
    );
  return warnings;
}
