// What a configuration says about shipping events. Credentials are named by file and never written in it.
import { normalize } from 'node:path';
import { z } from 'zod';
import type { SaslMechanism } from './sinks/kafka.ts';

const sinkName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
  error: 'expected a name of lower-case letters, digits and "-", like soc',
});

const url = z.string().refine(isSafeUrl, {
  error: 'expected an https URL without credentials; http only to this machine, like http://127.0.0.1:9200',
});

function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  if (username !== '' || password !== '' || search !== '' || hash !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLocal(hostname));
}

function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

const broker = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):\d{1,5}$/, {
  error: 'expected host:port of a broker, like kafka-1.example:9093',
});

const file = z.string().min(1);
const secret = z.strictObject({
  file: file.describe('A file with mode 0600 that holds nothing but the secret.'),
});
const certificate = z
  .strictObject({ file, key: file })
  .optional()
  .describe('For receivers that ask who we are.');
const ca = file.optional().describe('PEM of the authorities to trust instead of the system’s.');

interface Named {
  readonly name: string;
}

interface CredentialFile {
  readonly file: string;
}

interface ClientCertificate {
  readonly file: string;
  readonly key: string;
}

interface Trusting {
  readonly ca?: string | undefined;
}

export type SinkConfig =
  | (Named &
      Trusting & {
        type: 'elasticsearch';
        url: string;
        apiKey?: CredentialFile | undefined;
        user?: { name: string; password: CredentialFile } | undefined;
      })
  | (Named & { type: 'files'; path: string; rotateMiB: number; keep: number })
  | (Named &
      Trusting & {
        type: 'syslog';
        host: string;
        port: number;
        certificate?: ClientCertificate | undefined;
        format: 'ecs' | 'cef';
      })
  | (Named &
      Trusting & {
        type: 'splunk';
        url: string;
        token: CredentialFile;
        index?: string | undefined;
        acknowledge: boolean;
      })
  | (Named & Trusting & { type: 'otlp'; url: string; authorization?: CredentialFile | undefined })
  | (Named & Trusting & { type: 'webhook'; url: string; secret: CredentialFile })
  | (Named &
      Trusting & {
        type: 'kafka';
        brokers: readonly string[];
        topic: string;
        tls: boolean;
        certificate?: ClientCertificate | undefined;
        sasl?: { mechanism: SaslMechanism; username: string; password: CredentialFile } | undefined;
      });

const sinkSchema: z.ZodType<SinkConfig> = z.discriminatedUnion('type', [
  z
    .strictObject({
      name: sinkName,
      type: z.literal('elasticsearch'),
      url,
      apiKey: secret
        .optional()
        .describe('The "encoded" form of an API key that may create_doc in logs-sallyport.*'),
      user: z
        .strictObject({
          name: z.string().regex(/^[^:]+$/, { error: 'expected a name without ":"' }),
          password: secret,
        })
        .optional()
        .describe('Where there are no API keys, as in OpenSearch.'),
      ca,
    })
    .refine(({ apiKey, user }) => apiKey === undefined || user === undefined, {
      path: ['user'],
      error: 'give apiKey or user, not both',
    }),
  z.strictObject({
    name: sinkName,
    type: z.literal('files'),
    path: file,
    rotateMiB: z.int().min(1).max(10_240).default(100),
    keep: z.int().min(1).max(100).default(5),
  }),
  z.strictObject({
    name: sinkName,
    type: z.literal('syslog'),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).default(6514),
    ca,
    certificate,
    format: z.enum(['ecs', 'cef']).default('ecs'),
  }),
  z.strictObject({
    name: sinkName,
    type: z.literal('splunk'),
    url,
    token: secret,
    index: z.string().min(1).optional(),
    acknowledge: z
      .boolean()
      .default(true)
      .describe('Wait for indexer acknowledgement; the token must have it on.'),
    ca,
  }),
  z.strictObject({
    name: sinkName,
    type: z.literal('otlp'),
    url: url.describe('Without /v1/logs.'),
    authorization: secret.optional().describe('Sent as the Authorization header.'),
    ca,
  }),
  z.strictObject({
    name: sinkName,
    type: z.literal('webhook'),
    url,
    secret: secret.describe('Signs each delivery with HMAC-SHA256.'),
    ca,
  }),
  z
    .strictObject({
      name: sinkName,
      type: z.literal('kafka'),
      brokers: z.array(broker).min(1).max(32),
      topic: z.string().regex(/^[a-zA-Z0-9._-]{1,249}$/, { error: 'expected the name of a topic' }),
      tls: z.boolean().default(true).describe('False only for brokers on this machine.'),
      ca,
      certificate,
      sasl: z
        .strictObject({
          mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']).default('SCRAM-SHA-512'),
          username: z.string().min(1),
          password: secret,
        })
        .optional(),
    })
    .refine(({ tls, brokers }) => tls || brokers.every((one) => isLocal(one.replace(/:\d+$/, ''))), {
      path: ['tls'],
      error: 'only brokers on this machine may be spoken to without TLS, like 127.0.0.1:9092',
    }),
]);

export interface SiemConfig {
  /** Of the data streams: `logs-<dataset>-<namespace>`. */
  readonly namespace: string;
  readonly sinks: readonly SinkConfig[];
}

const namespace = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.]{0,99}$/, { error: 'expected lower-case letters, digits, "_" and ".", no "-"' });

/** Whether sinks of both paths would write to one file: a file that is rotated moves to `path.1` and so on. */
function share(one: SinkConfig, other: SinkConfig): boolean {
  if (one.type !== 'files' || other.type !== 'files') return false;
  const [path, another] = [normalize(one.path), normalize(other.path)];
  const age = another.startsWith(`${path}.`) ? another.slice(path.length + 1) : undefined;
  return path === another || (age !== undefined && /^[1-9]\d*$/.test(age) && Number(age) <= one.keep);
}

/** For `siem:` in the gateway's configuration. */
export const siemSchema: z.ZodType<SiemConfig> = z
  .strictObject({ namespace: namespace.default('default'), sinks: z.array(sinkSchema).max(16).default([]) })
  .superRefine(({ sinks }, context) => {
    for (const [index, sink] of sinks.entries()) {
      const other = sinks.slice(0, index).find((before) => share(before, sink) || share(sink, before));
      if (other === undefined) continue;
      const message = `the sink ${other.name} writes there, or moves its older files there: a file has one writer`;
      context.addIssue({ code: 'custom', path: ['sinks', index, 'path'], message });
    }
    for (const [index, { name }] of sinks.entries()) {
      if (sinks.findIndex((other) => other.name === name) === index) continue;
      context.addIssue({
        code: 'custom',
        path: ['sinks', index, 'name'],
        message: `the name ${name} comes twice`,
      });
    }
  });

/** Members that name a file, wherever they stand. */
const FILES: ReadonlySet<string> = new Set(['ca', 'file', 'key', 'path']);

/** The same with every file name made absolute by `resolve`. */
export function resolveSiemPaths(config: SiemConfig, resolve: (file: string) => string): SiemConfig {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    const members = Object.entries(value).map(([name, member]) => [
      name,
      FILES.has(name) && typeof member === 'string' ? resolve(member) : walk(member),
    ]);
    return Object.fromEntries(members);
  };
  return { ...config, sinks: config.sinks.map((sink) => walk(sink) as SinkConfig) };
}

/** The files that sinks read; `secret` are those for the gateway's user alone. */
export function siemFiles({ sinks }: SiemConfig): { readonly readable: string[]; readonly secret: string[] } {
  const readable: string[] = [];
  const secret: string[] = [];
  for (const sink of sinks) {
    // Whatever has a key is a certificate; all else that is given by file is a credential.
    for (const value of Object.values(sink).flatMap((one) => [one, one?.password])) {
      if (typeof value?.key === 'string') {
        readable.push(value.file);
        secret.push(value.key);
      } else if (typeof value?.file === 'string') secret.push(value.file);
    }
    if ('ca' in sink && sink.ca !== undefined) readable.push(sink.ca);
  }
  return { readable, secret };
}
