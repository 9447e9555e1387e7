// Opens the store that the configuration names: the one place that knows the implementations.
import type { StateConfig } from './config.ts';
import { openEmbeddedStore } from './embedded.ts';
import { readPrivate } from './private-files.ts';
import { RedisStore } from './redis.ts';
import { redisConnections } from './redis-connections.ts';
import { Seal } from './seal.ts';
import type { Store } from './store.ts';

/** Throws StateError or LooseModeError. */
export async function openStore(state: StateConfig, now: () => number): Promise<Store> {
  if (state.kind === 'embedded') return openEmbeddedStore(state.directory, now);
  const { redis, secret } = state;
  return RedisStore.open({
    connections: redisConnections(redis),
    seal: new Seal(readPrivate(secret.file)),
    prefix: redis.prefix,
    replicas: redis.replicas ?? (redis.sentinel === undefined ? 0 : 1),
    now,
  });
}
