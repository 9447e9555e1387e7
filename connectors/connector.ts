// Puts a connector together: its identity, its link to the gateway and the apps it serves. The one place that wires
// them; it must never take an app's address from anywhere but the configuration.
import { randomUUID, X509Certificate } from 'node:crypto';
import { Attesting } from './attestation.ts';
import { Cluster } from './cluster/cluster.ts';
import { readPem, TargetError, Targets } from './cluster/targets.ts';
import { ReviewFailure, TokenReviewer } from './cluster/token-reviewer.ts';
import type { ConnectorConfig } from './config.ts';
import { enrol } from './link/enrol.ts';
import { type Identity, loadIdentity, saveIdentity } from './link/identity.ts';
import { KeptIdentity } from './link/kept-identity.ts';
import { Link } from './link/link.ts';
import { EnrolError, type EnrolmentToken, readToken } from './link/token.ts';
import { DEFAULT_LIMITS, type Limits, VERSIONS } from './wire/limits.ts';
import type { Log } from './wire/log.ts';
import { reviewId } from './wire/token-review.ts';

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
  /** Cuts what is under way at once, also while it closes. */
  cut(): void;
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

/** @throws {StartError} for a file of the configuration that cannot be used. */
function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TargetError || error instanceof ReviewFailure)) throw error;
    throw new StartError('unreadable', error.message);
  }
}

/** The connector's own, believing the authority that the configuration names. @throws {StateError} {StartError} */
export function identityOf({ state, trust }: ConnectorConfig): Identity | undefined {
  const found = loadIdentity(state);
  if (found === undefined || trust === undefined) return found;
  return { ...found, ca: reading(() => readPem(trust.ca)) };
}

/** Whether there is an identity already. @throws {StateError} */
export function enrolled(config: ConnectorConfig): boolean {
  return loadIdentity(config.state) !== undefined;
}

/** When the certificate ran out; undefined while there is none, or while it holds. `now`: epoch milliseconds. */
export function ranOutAt(config: ConnectorConfig, now: number): number | undefined {
  const found = loadIdentity(config.state);
  return found !== undefined && found.notAfter <= now ? found.notAfter : undefined;
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
 * @throws {KeyStoreError} when it is to attest and its machine is not enrolled, or not safely.
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
  const { log, now, random } = parts;
  const identity = identityOf(config) ?? found;
  const { apps, clusters, workloadApi, attestation: machine } = config;
  const reviewers = reading(() =>
    Object.entries(clusters).map(
      ([id, one]) => [reviewId(id), new TokenReviewer(id, one, { log, now })] as const,
    ),
  );
  const attesting = machine && new Attesting({ config, machine, log, now, random });
  const targets = reading(
    () =>
      new Targets({
        ...{ apps, workloadApi, log, now, random },
        onChange: (changed) => {
          for (const [id, target] of Object.entries(changed)) cluster.retarget(id, target);
          link.replace();
        },
      }),
  );
  const cluster = new Cluster(targets.current, new Map(reviewers));
  const limits = { ...DEFAULT_LIMITS, ...parts.limits };
  const instance = randomUUID();
  const { window, streams } = limits;
  const said = { versions: VERSIONS, window, streams, instance, software: parts.software ?? 'sallyport' };
  const kept = new KeptIdentity(config.state, log);
  const link: Link = new Link({
    gateways: config.gateways.map((gateway) => new URL(gateway)),
    tunnels: config.tunnels,
    name: config.name,
    identity,
    offer: () => {
      const { apps: ids, certificates, open } = cluster.serving;
      return { hello: { ...said, apps: ids, certificates }, onOpen: open };
    },
    limits,
    ...{ log, now, random },
    clock: parts.clock ?? (() => performance.now()),
    onIdentity: async (renewed) => {
      kept.keep({ ...renewed, ca: found.ca });
      // Rules that ask for it would turn requests away until there is a proof over the new certificate.
      await attesting?.over(renewed);
    },
  });
  attesting?.start(() => link.identity);
  return {
    ready: link.ready,
    async close(graceMs) {
      kept.stop();
      targets.stop();
      await link.close(graceMs);
      await attesting?.close();
      await cluster.close();
    },
    cut: () => link.cut(),
  };
}
