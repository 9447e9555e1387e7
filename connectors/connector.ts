// Puts a connector together: its identity, its link to the gateway and the apps it serves. The one place that wires
// them; it must never take an app's address from anywhere but the configuration.
import { randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AppTarget } from './cluster/app.ts';
import { Cluster } from './cluster/cluster.ts';
import type { ConnectorConfig } from './config.ts';
import { enrol } from './link/enrol.ts';
import { type Identity, loadIdentity, saveIdentity } from './link/identity.ts';
import type { Log } from './link/line.ts';
import { Link } from './link/link.ts';
import { EnrolError, type EnrolmentToken, readToken } from './link/token.ts';
import { DEFAULT_LIMITS, type Limits, VERSIONS } from './wire/limits.ts';

export interface ConnectorParts {
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** 0 to 1, evenly. */
  readonly random: () => number;
  /** Monotonic milliseconds; `performance.now` if absent. */
  readonly clock?: () => number;
  /** Shown at the gateway; `sallyport` if absent. */
  readonly software?: string;
  readonly limits?: Partial<Limits>;
}

export interface Connector {
  /** Resolves when the first tunnel is up. */
  readonly ready: Promise<void>;
  /** Serves what is under way for up to `graceMs` (milliseconds), then cuts. */
  close(graceMs: number): Promise<void>;
}

export type StartFailure = 'not-enrolled' | 'other-name' | 'unreadable';

/** The connector cannot start. The message says what to do. */
export class StartError extends Error {
  readonly code: StartFailure;

  constructor(code: StartFailure, message: string) {
    super(message);
    this.name = 'StartError';
    this.code = code;
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new StartError('unreadable', `${path} cannot be read: ${(error as Error).message}`);
  }
}

function targets(config: ConnectorConfig): Record<string, AppTarget> {
  return Object.fromEntries(
    Object.entries(config.apps).map(([id, { url, ca, serverName, headTimeout }]) => [
      id,
      {
        ...{ url, headTimeout },
        ...(ca === undefined ? undefined : { ca: readPem(ca) }),
        ...(serverName === undefined ? undefined : { serverName }),
      },
    ]),
  );
}

/** Whether there is an identity already. @throws {StateError} */
export function enrolled(config: ConnectorConfig): boolean {
  return loadIdentity(config.state) !== undefined;
}

/**
 * Spends an enrolment token and keeps the identity. `token` is the token's text.
 * @throws {EnrolError} when the token or the gateway is not good.
 * @throws {StateError} when the state directory cannot be used: checked before the token is spent.
 */
export async function enrolConnector(config: ConnectorConfig, token: string, now: number): Promise<Identity> {
  loadIdentity(config.state);
  const grant = readToken(token, now);
  if (grant.name !== config.name) {
    const message = `the token is for the connector ${grant.name}, the configuration says ${config.name}`;
    throw new EnrolError('token-malformed', message);
  }
  const identity = await enrolAtAny(config.gateways, grant);
  saveIdentity(config.state, identity);
  return identity;
}

/** A gateway that cannot be reached leaves the token unspent, so the next one is asked. */
async function enrolAtAny(gateways: readonly string[], grant: EnrolmentToken): Promise<Identity> {
  for (const [index, gateway] of gateways.entries()) {
    try {
      return await enrol(new URL(gateway), grant);
    } catch (error) {
      const next = error instanceof EnrolError && error.code === 'unreachable' && index + 1 < gateways.length;
      if (!next) throw error;
    }
  }
  throw new EnrolError('unreachable', 'no gateway is configured');
}

/**
 * Runs a connector that has enrolled.
 * @throws {StartError} `not-enrolled`, or a file that cannot be read.
 * @throws {StateError}
 */
export function startConnector(config: ConnectorConfig, parts: ConnectorParts): Connector {
  const found = loadIdentity(config.state);
  if (found === undefined) {
    throw new StartError('not-enrolled', `${config.state} holds no identity. Enrol with --token-file FILE.`);
  }
  const owner = /\/connector\/([^/,]+)$/.exec(
    new X509Certificate(found.certificate).subjectAltName ?? '',
  )?.[1];
  if (owner !== config.name) {
    const message = `${config.state} holds the identity of the connector ${owner}, the configuration says ${config.name}`;
    throw new StartError('other-name', message);
  }
  const identity = config.trust === undefined ? found : { ...found, ca: readPem(config.trust.ca) };
  const cluster = new Cluster(targets(config));
  const limits = { ...DEFAULT_LIMITS, ...parts.limits };
  const link = new Link({
    gateways: config.gateways.map((gateway) => new URL(gateway)),
    tunnels: config.tunnels,
    name: config.name,
    identity,
    hello: {
      versions: VERSIONS,
      window: limits.window,
      streams: limits.streams,
      apps: cluster.ids,
      instance: randomUUID(),
      software: parts.software ?? 'sallyport',
    },
    limits,
    log: parts.log,
    now: parts.now,
    clock: parts.clock ?? (() => performance.now()),
    random: parts.random,
    onOpen: (stream, request, fin) => cluster.open(stream, request, fin),
    onIdentity: (renewed) => saveIdentity(config.state, { ...renewed, ca: found.ca }),
  });
  return {
    ready: link.ready,
    async close(graceMs) {
      await link.close(graceMs);
      await cluster.close();
    },
  };
}
