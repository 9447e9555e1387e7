// Reads a gateway's configuration for a command; apart from read-config.ts, so that a connector loads no gateway code.
import { dirname, resolve } from 'node:path';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';
import { readConfig } from './read-config.ts';

/** A gateway's configuration with absolute paths, or undefined after its problems were printed. */
export function readGatewayConfig(file: string): GatewayConfig | undefined {
  const config = readConfig(file, gatewaySchema);
  return config === undefined ? undefined : resolvePaths(config, dirname(resolve(file)));
}
