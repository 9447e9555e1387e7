// Reads a gateway's configuration for a command; apart from read-config.ts, so that a connector loads no gateway code.
import { dirname, resolve } from 'node:path';
import { type GatewayConfig, gatewaySchema, resolvePaths } from '#gateway/config';
import { parseConfig, readText } from './read-config.ts';

/** A configuration with absolute paths, and the very text that it was read from. */
export interface GatewayDocument {
  readonly config: GatewayConfig;
  readonly file: string;
  readonly text: string;
}

/** The document, or undefined after its problems were printed. */
export function readGatewayDocument(name: string): GatewayDocument | undefined {
  const text = readText(name);
  const config = text === undefined ? undefined : parseConfig(text, name, gatewaySchema);
  if (text === undefined || config === undefined) return undefined;
  const file = resolve(name);
  return { config: resolvePaths(config, dirname(file)), file, text };
}

/** A gateway's configuration with absolute paths, or undefined after its problems were printed. */
export function readGatewayConfig(file: string): GatewayConfig | undefined {
  return readGatewayDocument(file)?.config;
}
