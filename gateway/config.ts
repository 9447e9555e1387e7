// The gateway's configuration: one YAML document, every key described, unknown keys refused, secrets by file only.
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { type AttestationConfig, attestationSchema, resolveAttestationPaths } from '#gateway/attest/config';
import { type ChangesConfig, changesSchema, resolveChangesPaths } from '#gateway/change/config';
import { type AdminConfig, adminSchema, resolveAdminPaths } from '#gateway/console/config';
import type { ConnectionLimits } from '#gateway/edge/limits';
import { type ProviderConfig, providerSchema } from '#gateway/identity/provider-config';
import {
  refuseOwn,
  resolveServicesPaths,
  type ServicesConfig,
  servicesSchema,
} from '#gateway/identity/services-config';
import type { StrangerLimits } from '#gateway/inspect/strangers';
import {
  type AppAssertion,
  type AssertionsConfig,
  appAssertion,
  assertionsSchema,
  type PkiConfig,
  pkiSchema,
  resolvePkiPaths,
} from '#gateway/pki/config';
import { CONNECTOR_NAME } from '#gateway/pki/enrolment';
import { type SshConfig, sshSchema } from '#gateway/pki/ssh/config';
import { type ReleaseConfig, releaseSchema, resolveReleasePaths } from '#gateway/release/config';
import { resolveStatePaths, type StateConfig, stateSchema } from '#gateway/state/config';
import { type WorkersConfig, workersProblem, workersSchema } from '#gateway/workers/config';
import { resolveSiemPaths, type SiemConfig, siemSchema } from '#siem/config';
import {
  address,
  duration,
  file,
  hostname,
  hostOf,
  hostOrAddress,
  id,
  type ListenAddress,
  loopback,
  namedOrigin,
  origin,
  refuseRepeats,
  site,
  size,
  unnamedIn,
} from './config-values.ts';

export type { ProviderConfig, ServicesConfig };

/** What every app behind the gateway has. */
interface AnyApp {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly connectors: readonly string[];
  /** `session`: requests of one session go through one connector for as long as that is healthy. */
  readonly sticky?: 'session' | undefined;
}

/** An app people use in a browser, on a host of its own. */
export interface HttpAppConfig extends AnyApp {
  readonly protocol: 'http';
  readonly host: string;
  readonly origins: readonly string[];
  readonly assertion: AppAssertion;
}

/** An app people reach with `sallyport connect`: SSH (`ssh`: with certificates), a database, anything on TCP. */
export interface TcpAppConfig extends AnyApp {
  readonly protocol: 'tcp';
  readonly ssh?: SshConfig | undefined;
}

export type AppConfig = HttpAppConfig | TcpAppConfig;

/** Durations are milliseconds, sizes bytes. */
export interface GatewayConfig {
  readonly version: 1;
  readonly name: string;
  /** The directory of this gateway's own: keys, outbox, logs. */
  readonly state: string;
  /** Where what gateways share is kept. */
  readonly store: StateConfig;
  readonly policy: string;
  /** Left out: the policy is taken from its file, whoever wrote it. */
  readonly changes?: ChangesConfig | undefined;
  /** Left out: whoever may open the admin socket may do everything. */
  readonly admin?: AdminConfig | undefined;
  /** Left out: nobody vouches for the program files. */
  readonly release?: ReleaseConfig | undefined;
  readonly portal: string;
  readonly listen: {
    readonly people: ListenAddress;
    readonly connectors: ListenAddress;
    readonly health: ListenAddress;
  };
  readonly workers: WorkersConfig;
  /** Of a worker's part: the name in the document. */
  readonly worker?: { readonly of: string } | undefined;
  readonly tls?: { readonly certificate: string; readonly key: string } | undefined;
  readonly limits: ConnectionLimits & { readonly strangers: StrangerLimits };
  readonly connectors: {
    readonly hosts: readonly string[];
    readonly relay?: string | undefined;
    readonly certificateLife: number;
    readonly trustDomain: string;
    readonly accepts: number;
  };
  readonly identity: {
    readonly providers: readonly ProviderConfig[];
    readonly sessions: {
      readonly idle: number;
      readonly absolute: number;
      readonly perPerson?: number | undefined;
    };
  };
  readonly services?: ServicesConfig | undefined;
  readonly context: { readonly countries: readonly string[] };
  readonly attestation: AttestationConfig;
  readonly assertions: AssertionsConfig;
  readonly pki: PkiConfig;
  readonly outbox: { readonly quota: number };
  readonly siem: SiemConfig;
  readonly apps: readonly AppConfig[];
}

const app: z.ZodType<AppConfig> = z
  .strictObject({
    id,
    name: z.string().min(1).max(80),
    description: z.string().max(200).default(''),
    protocol: z.enum(['http', 'tcp']).default('http').describe('tcp: reached with `sallyport connect`.'),
    host: site.optional().describe('The host people use. Every http app has one, a tcp app none.'),
    connectors: z
      .array(z.string().regex(CONNECTOR_NAME))
      .min(1)
      .describe('Names of connectors that may serve it.'),
    sticky: z
      .literal('session', { error: 'expected session: or leave the key out, then any connector will do' })
      .optional()
      .describe('session: requests of one session stay with one connector while that is healthy.'),
    origins: z.array(origin).optional().describe('Further origins that may open WebSockets to this app.'),
    assertion: appAssertion.optional(),
    ssh: sshSchema.optional(),
  })
  .superRefine(({ protocol, host, origins, assertion, ssh }, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    const tcp = protocol === 'tcp';
    if (!tcp && host === undefined)
      refuse([], 'the key `host` is missing: an http app has a host of its own');
    if (tcp && host !== undefined) refuse(['host'], 'a tcp app has no host: people name its id');
    if (tcp && origins !== undefined) refuse(['origins'], 'a tcp app has no origins');
    if (tcp && assertion !== undefined) refuse(['assertion'], 'a tcp app is sent no assertion');
    if (!tcp && ssh !== undefined) refuse(['ssh'], 'only a tcp app can be sshd');
  })
  .transform(({ protocol, host = '', origins = [], assertion = appAssertion.parse({}), ssh, ...rest }) =>
    protocol === 'http' ? { ...rest, protocol, host, origins, assertion } : { ...rest, protocol, ssh },
  );

const shape = z.strictObject({
  version: z.literal(1),
  name: z.string().regex(CONNECTOR_NAME, { error: 'expected a DNS label, like edge-1' }).default('gateway'),
  state: stateSchema.prefault('./state'),
  policy: file,
  changes: changesSchema.optional(),
  admin: adminSchema.optional(),
  release: releaseSchema.optional(),
  portal: namedOrigin.describe('The address people know. Its port is used for all apps.'),
  listen: z
    .strictObject({
      people: address.prefault('0.0.0.0:8443'),
      connectors: address.prefault('0.0.0.0:8444'),
      health: loopback.prefault('127.0.0.1:9090'),
    })
    .prefault({}),
  workers: workersSchema.prefault({}),
  tls: z
    .strictObject({ certificate: file, key: file })
    .optional()
    .describe('PEM chain and key for all hosts. Left out: a development CA is made on first start.'),
  limits: z
    .strictObject({
      connections: z.int().min(10).max(100_000).default(20_000),
      perAddress: z.int().min(10).max(100_000).default(1_000),
      strangers: z
        .strictObject({
          perAddress: z.int().min(10).max(10_000_000).default(1_000),
          together: z.int().min(10).max(10_000_000).default(6_000),
        })
        .prefault({})
        .describe('Refusals that are recorded one by one in a minute, of one address and of all.'),
    })
    .prefault({})
    .describe('Connections of a listener at once, and from one address (IPv6: one /64).'),
  connectors: z
    .strictObject({
      hosts: z.array(hostOrAddress).min(1).default(['localhost', '127.0.0.1']),
      relay: origin.optional(),
      certificateLife: duration('10m', '24h').prefault('24h'),
      trustDomain: hostname.default('sallyport.internal'),
      accepts: z.int().min(1).max(100_000).default(500),
    })
    .prefault({})
    .describe(
      'hosts: names or addresses by which connectors dial this gateway. relay: the origin by which other gateways do. accepts: new tunnels taken a second; who is refused dials again.',
    ),
  identity: z.strictObject({
    providers: z.array(providerSchema).min(1),
    sessions: z
      .strictObject({
        idle: duration('1m', '7d').prefault('1h'),
        absolute: duration('5m', '30d').prefault('12h'),
        perPerson: z.int().min(1).max(1000).optional(),
      })
      .prefault({}),
  }),
  services: servicesSchema.optional(),
  context: z
    .strictObject({ countries: z.array(file).default([]) })
    .prefault({})
    .describe('countries: CSV files of start,end,country ranges, as the @ip-location-db packages hold them.'),
  attestation: attestationSchema.prefault({}),
  assertions: assertionsSchema.prefault({}),
  pki: pkiSchema.prefault({}),
  outbox: z.strictObject({ quota: size.prefault('2GiB') }).prefault({}),
  siem: siemSchema.prefault({}).describe('Where events are shipped to, at least once and in order.'),
  apps: z.array(app).min(1).max(5000),
});

const checked = shape.superRefine((config, context) => {
  // Values that were refused one by one come here too: all mistakes are told at once.
  refuseRepeats(
    config.apps.map(({ id }) => id),
    (index) => ['apps', index, 'id'],
    context,
  );
  refuseRepeats(
    [
      hostOf(config.portal),
      ...config.apps.map((app) => (app.protocol === 'http' ? app.host : `tcp:${app.id}`)),
    ],
    (index) => ['apps', index - 1, 'host'],
    context,
  );
  refuseOwn(config.connectors.trustDomain, config.services, context);
  const unnamed = unnamedIn(config.connectors.hosts, config.connectors.relay);
  if (unnamed !== undefined)
    context.addIssue({ code: 'custom', path: ['connectors', 'relay'], message: unnamed });
  const { name, state, workers } = config as Partial<typeof config>;
  const crowded = workersProblem(name ?? '', state?.kind ?? 'redis', workers?.count ?? 1);
  if (crowded !== undefined)
    context.addIssue({ code: 'custom', path: ['workers', 'count'], message: crowded });
  const providers = config.identity.providers.map(({ id }) => id);
  refuseRepeats(providers, (index) => ['identity', 'providers', index, 'id'], context);
  if (config.identity.sessions.idle > config.identity.sessions.absolute) {
    context.addIssue({
      code: 'custom',
      path: ['identity', 'sessions', 'idle'],
      message: 'idle is longer than absolute, so it would never take effect',
    });
  }
});

/** The schema editors complete from and the loader checks with. */
export const gatewaySchema: z.ZodType<GatewayConfig> = checked.transform(({ state, ...config }) => ({
  ...config,
  state: state.directory,
  store: state,
}));

/** The configuration with every path made absolute, from the directory of its document. */
export function resolvePaths(config: GatewayConfig, base: string): GatewayConfig {
  const at = (path: string): string => (isAbsolute(path) ? path : join(base, path));
  const { tls, context, identity, services, changes, admin, release } = config;
  return {
    ...config,
    state: at(config.state),
    store: resolveStatePaths(config.store, at),
    policy: at(config.policy),
    ...(changes === undefined ? {} : { changes: resolveChangesPaths(changes, at) }),
    ...(admin === undefined ? {} : { admin: resolveAdminPaths(admin, at) }),
    ...(release === undefined ? {} : { release: resolveReleasePaths(release, at) }),
    siem: resolveSiemPaths(config.siem, at),
    pki: resolvePkiPaths(config.pki, at),
    ...(tls === undefined ? {} : { tls: { certificate: at(tls.certificate), key: at(tls.key) } }),
    ...(services === undefined ? {} : { services: resolveServicesPaths(services, at) }),
    context: { countries: context.countries.map(at) },
    attestation: resolveAttestationPaths(config.attestation, at),
    identity: {
      ...identity,
      providers: identity.providers.map((one) => ({
        ...one,
        ...(one.clientSecret === undefined ? {} : { clientSecret: { file: at(one.clientSecret.file) } }),
        ...(one.ca === undefined ? {} : { ca: at(one.ca) }),
      })),
    },
  };
}
