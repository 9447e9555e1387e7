// Opens the store that the configuration names: the one place that knows the implementations.
import type { Log } from '#siem/log';
import type { StateConfig } from './config.ts';
import { openEmbeddedStore } from './embedded.ts';
import { requireWhole } from './portable.ts';
import { readPrivate } from './private-files.ts';
import { Seal } from './seal.ts';
import type { Store } from './store.ts';

/** Throws StateError or LooseModeError. */
export async function openStore(state: StateConfig, now: () => number): Promise<Store> {
  if (state.kind === 'embedded') return openEmbeddedStore(state.directory, now);
  // Read only where it is used: a gateway that keeps its own state starts without a client for Redis.
  const [{ RedisStore }, { redisConnections }] = await Promise.all([
    import('./redis.ts'),
    import('./redis-connections.ts'),
  ]);
  const { redis, secret } = state;
  return RedisStore.open({
    connections: redisConnections(redis),
    seal: new Seal(readPrivate(secret.file)),
    prefix: redis.prefix,
    replicas: redis.replicas ?? (redis.sentinel === undefined ? 0 : 1),
    now,
  });
}

/** The same for a gateway: says what is to be looked after, and goes on only with a state that is whole. */
export async function openWhole(
  state: StateConfig,
  { log, now }: { readonly log: Log; readonly now: () => number },
): Promise<Store> {
  const store = await openStore(state, now);
  for (const warning of store.warnings()) log.warn({}, warning);
  try {
    await requireWhole(store);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}
