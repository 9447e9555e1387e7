// Stores on a real Redis, for the suites that say what is true of Redis alone.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisConfig } from '#gateway/state/config';
import { openStore } from '#gateway/state/open';
import { type RedisClient, redisConnections } from '#gateway/state/redis-connections';
import type { Store } from '#gateway/state/store';
import { elapse, REDIS_NEEDS, type Scope } from '#test/contract/redis';
import { storeContract } from '#test/contract/store';
import { requires } from '#test/requires';

const SECRET = 'a secret of more than thirty-two characters';

/** A secret's file, gone with the scope. */
export function secretFile(scope: Scope, text: string): { file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-secret-'));
  scope.after(async () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'secret');
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return { file };
}

/** A store on a Redis whose layout and secret are the usual ones. */
export function open(
  scope: Scope,
  redis: Partial<RedisConfig>,
  { now = Date.now, secret = SECRET }: { now?: () => number; secret?: string } = {},
): Promise<Store> {
  const config = { database: 0, prefix: 'sallyport', ...redis };
  const file = secretFile(scope, secret);
  return openStore({ kind: 'redis', directory: '', secret: file, redis: config }, now);
}

export const at = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port });

/** Of its default user, for what no gateway does. */
export async function ownClient(
  scope: Scope,
  { username: _, password: __, ...redis }: Partial<RedisConfig>,
  password?: string,
): Promise<RedisClient> {
  const secret = password === undefined ? {} : { password: secretFile(scope, password) };
  const client = await redisConnections({ database: 0, prefix: 'sallyport', ...redis, ...secret }).client();
  scope.after(async () => client.disconnect());
  return client;
}

/** The contract on the Redis that `start` gives. `password`: of its default user. */
export function contractOn(
  name: string,
  start: (scope: Scope) => Promise<Partial<RedisConfig>>,
  password?: string,
): void {
  storeContract(
    name,
    async () => {
      const steps: (() => Promise<void>)[] = [];
      const scope = { after: (step: () => Promise<void>): void => void steps.push(step) };
      const undo = async (): Promise<void> => {
        for (const step of steps.splice(0).reverse()) await step();
      };
      let time = Date.now();
      const [clock, store] = await start(scope)
        .then(
          async (redis) =>
            [await ownClient(scope, redis, password), await open(scope, redis, { now: () => time })] as const,
        )
        .catch(async (error) => {
          await undo();
          throw error;
        });
      return {
        store,
        now: () => time,
        advance: async (milliseconds) => {
          time += milliseconds;
          await elapse(clock, milliseconds);
        },
        close: async () => {
          await store.close();
          await undo();
        },
      };
    },
    requires(...REDIS_NEEDS),
  );
}
