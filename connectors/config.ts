// The connector's configuration: which gateway, and the only apps it will ever dial. Unknown keys are refused, and
// no secret has a place in it.
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import type { CertificateFiles } from './cluster/client-certificate.ts';
import { EVENT_LOG } from './device/event-log.ts';
import { DEFAULT_TPM } from './device/tpm/link.ts';
import { APP_ID } from './wire/hello.ts';
import { CLUSTER, RESERVED_IDS } from './wire/token-review.ts';

/** One app of the allow-list. */
export interface ConnectorAppConfig {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly serverName?: string | undefined;
  readonly spiffeId?: string | undefined;
  /** `workload`: what the Workload API says it is. */
  readonly client?: CertificateFiles | 'workload' | undefined;
  /** Milliseconds. */
  readonly headTimeout: number;
}

/** A Kubernetes cluster that this connector runs in; paths are of files. */
export interface ClusterConfig {
  readonly url: string;
  readonly ca: string;
  readonly token: string;
}

export interface ConnectorConfig {
  readonly version: 1;
  readonly name: string;
  /** Origins; at least one. */
  readonly gateways: readonly string[];
  /** To each gateway. */
  readonly tunnels: number;
  readonly state: string;
  readonly trust?: { readonly ca: string } | undefined;
  /** Where the machine it runs on proves its state. */
  readonly attestation?: { readonly tpm: string; readonly eventLog: string } | undefined;
  /** Path of the socket of a SPIFFE agent. */
  readonly workloadApi?: string | undefined;
  readonly apps: Readonly<Record<string, ConnectorAppConfig>>;
  /** By name. */
  readonly clusters: Readonly<Record<string, ClusterConfig>>;
}

/** Gateways of one connector, and tunnels to each of them. */
const MAX_GATEWAYS = 16;
const MAX_TUNNELS = 16;
/**
 * One is as fast; with two, a connection that breaks or is replaced leaves no moment without any, and one lost packet
 * holds up half of the streams.
 */
const TUNNELS = 2;

/** Longest time an app may take for a response head, milliseconds: below the gateway's own idle limit. */
const LONGEST_HEAD = 290_000;

function isOrigin(text: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  // A tcp URL has no path at all, and no port of its own.
  const tcp = url.protocol === 'tcp:';
  if (tcp && url.port === '') return false;
  const bare =
    url.pathname === (tcp ? '' : '/') && url.search === '' && url.hash === '' && url.username === '';
  return schemes.includes(url.protocol) && bare && url.password === '' && !/[?#]/.test(text);
}

/** As `openTpm` takes it. */
const TPM = /^(\/dev\/[A-Za-z0-9._/-]+|swtpm:(127\.0\.0\.1|\[::1\]|localhost):[0-9]{1,5})$/;

const file = z.string().min(1).describe('A path, relative to this document.');

const seconds = z
  .string()
  .regex(/^[1-9][0-9]{0,2}s$/, { error: 'expected seconds, like 60s' })
  .transform((text) => Number.parseInt(text, 10) * 1000)
  .refine((ms) => ms <= LONGEST_HEAD, { error: `expected at most ${LONGEST_HEAD / 1000}s` });

const app = z
  .strictObject({
    url: z
      .string()
      .refine((text) => isOrigin(text, ['http:', 'https:', 'tcp:']), {
        error:
          'expected scheme, host and port only, like http://127.0.0.1:3000 or tcp://127.0.0.1:5432: paths are the request’s own',
      })
      .describe('Where the app listens: http, https, or tcp with a port. The only address dialled for it.'),
    ca: file.optional().describe('PEM of the authority of an https app; the system’s authorities if absent.'),
    serverName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('The name in the certificate of an https app; the host of `url` if absent.'),
    spiffeId: z
      .string()
      .max(2048)
      .regex(/^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]+)+$/, {
        error: 'expected a SPIFFE id, like spiffe://prod.example/grafana',
      })
      .optional()
      .describe('The one URI in the certificate of an https app, in the place of a name.'),
    client: z
      .union([z.literal('workload'), z.strictObject({ certificate: file, key: file })], {
        error: 'expected a certificate and its key, or the word workload',
      })
      .optional()
      .describe(
        'PEM of the certificate and key that an https app is shown, read again when they change; or workload, for the SVID that the Workload API gives.',
      ),
    headTimeout: seconds
      .default(60_000)
      .describe('How long the app may take to begin its response; long polls need more than 60s.'),
  })
  .superRefine(({ url, ca, serverName, spiffeId, client }, context) => {
    const refuse = (key: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (!url.startsWith('https:')) {
      const secure = Object.entries({ ca, serverName, spiffeId, client });
      for (const [key, value] of secure) if (value !== undefined) refuse(key, 'only an https app has one');
    } else if (serverName !== undefined && spiffeId !== undefined) {
      refuse('spiffeId', 'give either `serverName` or `spiffeId`: one of them names the app');
    }
  });

const id = z
  .string()
  .regex(APP_ID, {
    error: 'expected an id of lower-case letters, digits, ".", "_" and "-", like grafana.prod',
  })
  .refine((text) => !text.startsWith(RESERVED_IDS), {
    error: `ids that begin with ${RESERVED_IDS} are the tunnel’s own: choose another`,
  });

/** Where Kubernetes puts what a pod needs to speak to its cluster. */
const IN_POD = '/var/run/secrets/kubernetes.io/serviceaccount';

const cluster = z.strictObject({
  url: z
    .string()
    .refine((text) => isOrigin(text, ['https:']), {
      error: 'expected the https origin of the cluster’s API, like https://kubernetes.default.svc',
    })
    .default('https://kubernetes.default.svc')
    .describe('The cluster’s API, as pods reach it.'),
  ca: file.default(`${IN_POD}/ca.crt`).describe('PEM of the cluster’s authority, read again for each use.'),
  token: file
    .default(`${IN_POD}/token`)
    .describe('The token of the connector’s own service account, read again for each use.'),
});

const gateway = z.string().refine((text) => isOrigin(text, ['https:']), {
  error: 'expected the https origin of the gateway’s connectors’ listener, like https://gw.example.com:8444',
});

export const connectorSchema: z.ZodType<ConnectorConfig> = z
  .strictObject({
    version: z.literal(1),
    name: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
        error: 'expected lower-case letters, digits and "-", like rack-7',
      })
      .describe('The name that the enrolment token was made for.'),
    gateway: gateway.optional().describe('The gateway’s listener for connectors, where there is one.'),
    gateways: z
      .array(gateway)
      .min(1)
      .max(MAX_GATEWAYS)
      .optional()
      .describe('The listeners of several gateways of one installation, in the place of `gateway`.'),
    tunnels: z.int().min(1).max(MAX_TUNNELS).default(TUNNELS).describe('Tunnels kept to each gateway.'),
    state: file
      .default('connector-state')
      .describe('Directory for the key and certificate, for its owner only.'),
    trust: z
      .strictObject({ ca: file.describe('PEM of the gateway’s connector authority.') })
      .optional()
      .describe('Believe this authority instead of the one learnt at enrolment.'),
    attestation: z
      .strictObject({
        tpm: z
          .string()
          .regex(TPM, { error: `expected a TPM like ${DEFAULT_TPM}, or swtpm:127.0.0.1:2321` })
          .default(DEFAULT_TPM)
          .describe('The TPM of this machine.'),
        eventLog: file
          .default(EVENT_LOG)
          .describe('The firmware’s log, or a copy of it that this user may read.'),
      })
      .optional()
      .describe('Proves how this machine booted, for rules that ask it of a connector.'),
    workloadApi: z
      .string()
      .regex(/^unix:\/{0,2}\/[^?#]+$/, {
        error: 'expected a socket, like unix:///run/spire/sockets/agent.sock',
      })
      .transform((text) => text.replace(/^unix:(?:\/\/)?/, ''))
      .optional()
      .describe('Socket of a SPIFFE agent, like unix:///run/spire/sockets/agent.sock.'),
    apps: z
      .record(id, app)
      .default({})
      .describe('The allow-list, by app id. But for clusters, nothing else is ever dialled.'),
    clusters: z
      .record(
        z.string().regex(CLUSTER, { error: 'expected lower-case letters, digits and "-", like prod' }),
        cluster,
      )
      .default({})
      .describe('Kubernetes clusters, by name, whose API is asked whether it accepts a token.'),
  })
  .superRefine(({ gateway: one, gateways = [], apps, clusters, workloadApi }, context) => {
    const refuse = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    if (Object.keys(apps).length + Object.keys(clusters).length === 0)
      refuse(['apps'], 'name at least one app, or a cluster under `clusters`');
    for (const [name, { client, spiffeId, ca }] of Object.entries(apps)) {
      if (workloadApi !== undefined) break;
      if (client === 'workload')
        refuse(['apps', name, 'client'], 'give `workloadApi` too: whose word is it?');
      else if (spiffeId !== undefined && ca === undefined)
        refuse(
          ['apps', name, 'spiffeId'],
          'give `ca` too, the bundle of its trust domain, or `workloadApi`, which knows it',
        );
    }
    if (one === undefined && gateways.length === 0)
      refuse(
        [],
        'the key `gateway` is missing: which gateway is dialled? Several are listed under `gateways`',
      );
    if (one !== undefined && gateways.length > 0)
      refuse(['gateway'], 'give either `gateway` or `gateways`, not both: put this origin into the list');
    const origins = gateways.map((text) => new URL(text).origin);
    for (const [index, text] of origins.entries()) {
      if (origins.indexOf(text) !== index)
        refuse(['gateways', index], `${text} is listed twice; more tunnels to it are set with \`tunnels\``);
    }
  })
  .transform(({ gateway: one, gateways = [], ...rest }) => ({
    ...rest,
    gateways: one === undefined ? gateways : [one],
  }))
  .describe('Configuration of a connector.');

/** The same with absolute paths; `directory` is that of the document. */
export function resolvePaths(config: ConnectorConfig, directory: string): ConnectorConfig {
  const from = (path: string): string => (isAbsolute(path) ? path : join(directory, path));
  const apps = Object.entries(config.apps).map(([name, { ca, client, ...rest }]) => [
    name,
    {
      ...rest,
      ...(ca === undefined ? undefined : { ca: from(ca) }),
      ...(client === undefined ? undefined : { client }),
      ...(client === undefined || client === 'workload'
        ? undefined
        : { client: { certificate: from(client.certificate), key: from(client.key) } }),
    },
  ]);
  const clusters = Object.entries(config.clusters).map(([name, { url, ca, token }]) => [
    name,
    { url, ca: from(ca), token: from(token) },
  ]);
  return {
    ...config,
    state: from(config.state),
    clusters: Object.fromEntries(clusters) as ConnectorConfig['clusters'],
    apps: Object.fromEntries(apps) as ConnectorConfig['apps'],
    ...(config.trust === undefined ? undefined : { trust: { ca: from(config.trust.ca) } }),
    ...(config.attestation === undefined
      ? undefined
      : { attestation: { ...config.attestation, eventLog: from(config.attestation.eventLog) } }),
  };
}
