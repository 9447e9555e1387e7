// What a gateway runs, as hashes: its configuration and its own program files. The log holds them from each start.
import { createHash, hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayConfig } from './config.ts';

const ROOMS = ['bin', 'connectors', 'gateway', 'policy', 'siem'];
const ROOT = join(import.meta.dirname, '..');

/** SHA-256, hex, of a configuration as it was understood: comments and layout do not change it. */
export function configurationHash(config: GatewayConfig): string {
  return hash('sha256', JSON.stringify(config), 'hex');
}

/**
 * SHA-256, hex, over the path and hash of each program file of this installation. What npm installed beside it is not
 * part of it: the lock file vouches for that.
 */
export function codeHash(root: string = ROOT): string {
  const total = createHash('sha256');
  for (const room of ROOMS) {
    if (!existsSync(join(root, room))) continue;
    const paths = readdirSync(join(root, room), { recursive: true, encoding: 'utf8' });
    for (const path of paths.filter((one) => /\.[jt]s$/.test(one)).sort()) {
      const file = join(room, path);
      total.update(`${hash('sha256', readFileSync(join(root, file)), 'hex')}  ${file}\n`);
    }
  }
  return total.digest('hex');
}
