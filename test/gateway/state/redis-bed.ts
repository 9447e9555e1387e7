// Stores on a real Redis, for the suites that say what is true of Redis alone.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RedisConfig } from '#gateway/state/config';
import { openStore } from '#gateway/state/open';
import type { Store } from '#gateway/state/store';
import type { Scope } from '#test/contract/redis';

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
