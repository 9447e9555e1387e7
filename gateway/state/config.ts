// The part of the gateway's configuration that says where its state is: embedded, or in Redis with other gateways.
import { z } from 'zod';
import { file } from '#gateway/config-values';

interface Address {
  readonly host: string;
  readonly port: number;
}

interface SecretFile {
  readonly file: string;
}

/** Exactly one of `server`, `sentinel` and `cluster` is there. */
export interface RedisConfig {
  readonly server?: Address | undefined;
  readonly sentinel?:
    | {
        readonly name: string;
        readonly addresses: readonly Address[];
        readonly username?: string | undefined;
        readonly password?: SecretFile | undefined;
      }
    | undefined;
  readonly cluster?: readonly Address[] | undefined;
  readonly username?: string | undefined;
  readonly password?: SecretFile | undefined;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly certificate?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
  readonly database: number;
  readonly prefix: string;
  readonly replicas?: number | undefined;
}

export type StateConfig =
  | { readonly kind: 'embedded'; readonly directory: string }
  | {
      readonly kind: 'redis';
      readonly directory: string;
      readonly secret: SecretFile;
      readonly redis: RedisConfig;
    };

/** `host:port`; an IPv6 address in brackets. */
const server: z.ZodType<Address, string> = z
  .string()
  .refine((text) => parse(text) !== undefined, { error: 'expected host:port, like redis-1.internal:6379' })
  .transform((text) => parse(text) ?? { host: '', port: 0 });

function parse(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-f:]+)\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

const secretFile = z.strictObject({ file });
const directory = file.default('./state').describe('Keys, outbox and logs of this gateway; mode 0700.');

const redis = z
  .strictObject({
    server: server.optional().describe('One Redis server, as host:port.'),
    sentinel: z
      .strictObject({
        name: z.string().min(1).describe('The name under which the Sentinels know the primary.'),
        addresses: z.array(server).min(1).describe('All of them.'),
        username: z.string().min(1).optional().describe('The Sentinels’ ACL user.'),
        password: secretFile.optional().describe('Of the Sentinels. Mode 0600.'),
      })
      .optional(),
    cluster: z.array(server).min(1).optional().describe('Some nodes of a Redis Cluster.'),
    username: z.string().min(1).optional().describe('The ACL user.'),
    password: secretFile.optional().describe('Mode 0600.'),
    tls: z
      .strictObject({
        ca: file.optional().describe('PEM of the authorities to trust instead of the system’s.'),
        certificate: file.optional(),
        key: file.optional(),
        serverName: z.string().min(1).optional(),
      })
      .optional()
      .describe('Present, even empty: TLS.'),
    database: z.int().min(0).max(15).default(0),
    prefix: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{0,31}$/, { error: 'expected lower-case letters, digits, "." and "-"' })
      .default('sallyport')
      .describe('What all keys begin with.'),
    replicas: z
      .int()
      .min(0)
      .max(5)
      .optional()
      .describe('Replicas that must have a write before it counts. Default: 1 with Sentinels, else 0.'),
  })
  .superRefine((config, context) => {
    const ways = (['server', 'sentinel', 'cluster'] as const).filter((way) => config[way] !== undefined);
    if (ways.length !== 1) {
      const found = ways.length === 0 ? 'none is there' : `there are ${ways.join(' and ')}`;
      context.addIssue({
        code: 'custom',
        message: `expected exactly one of server, sentinel and cluster: ${found}`,
      });
    }
    if ((config.tls?.certificate === undefined) !== (config.tls?.key === undefined)) {
      context.addIssue({ code: 'custom', path: ['tls'], message: 'certificate and key belong together' });
    }
    const users = [[[], config] as const, [['sentinel'], config.sentinel] as const];
    for (const [path, user] of users) {
      if (user?.username !== undefined && user.password === undefined) {
        const message = 'a user needs a password: {file: …}';
        context.addIssue({ code: 'custom', path: [...path, 'username'], message });
      }
    }
    if (config.cluster !== undefined && config.database !== 0) {
      context.addIssue({ code: 'custom', path: ['database'], message: 'a Cluster has database 0 only' });
    }
  });

export const stateSchema: z.ZodType<StateConfig> = z
  .union([
    file.transform((path): StateConfig => ({ kind: 'embedded', directory: path })),
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('embedded'), directory }),
      z.strictObject({
        kind: z.literal('redis'),
        directory,
        secret: secretFile.describe(
          'At least 32 random characters, the same on every gateway: it seals what is kept in Redis. Mode 0600.',
        ),
        redis,
      }),
    ]),
  ])
  .describe('A directory: state for one gateway. Or kind: redis, for several.');

export function resolveStatePaths(state: StateConfig, at: (path: string) => string): StateConfig {
  const place = at(state.directory);
  if (state.kind === 'embedded') return { kind: 'embedded', directory: place };
  const { password, tls, sentinel } = state.redis;
  const secret = (one: SecretFile): SecretFile => ({ file: at(one.file) });
  const path = <N extends string>(name: N, value: string | undefined): { [K in N]?: string } =>
    value === undefined ? {} : ({ [name]: at(value) } as { [K in N]: string });
  return {
    kind: 'redis',
    directory: place,
    secret: secret(state.secret),
    redis: {
      ...state.redis,
      ...(password === undefined ? {} : { password: secret(password) }),
      ...(sentinel === undefined
        ? {}
        : {
            sentinel: {
              ...sentinel,
              ...(sentinel.password === undefined ? {} : { password: secret(sentinel.password) }),
            },
          }),
      ...(tls === undefined
        ? {}
        : {
            tls: {
              ...tls,
              ...path('ca', tls.ca),
              ...path('certificate', tls.certificate),
              ...path('key', tls.key),
            },
          }),
    },
  };
}
