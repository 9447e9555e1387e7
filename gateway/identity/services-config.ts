// What the configuration says of services: where they are listened to, and whose word on them counts.
import { z } from 'zod';
import { CLUSTER, canAskAbout } from '#connectors/wire/token-review';
import { address, duration, file, hostname, id, issuer, type ListenAddress } from '#gateway/config-values';
import { CONNECTOR_NAME } from '#gateway/pki/enrolment';

/** The Kubernetes cluster that made the tokens is asked about each, by a connector in it. */
export interface ReviewConfig {
  /** Its name in the connectors' configuration. */
  readonly cluster: string;
  readonly connectors: readonly string[];
  /** How long an answer counts, in milliseconds. */
  readonly keep: number;
}

export interface IssuerConfig {
  readonly name: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** A file, or an https URL. */
  readonly keys: string;
  readonly ca?: string | undefined;
  readonly algorithms: readonly string[];
  readonly require: Readonly<Record<string, string>>;
  readonly subject: string;
  readonly maxLife: number;
  readonly trustDomain?: string | undefined;
  readonly review?: ReviewConfig | undefined;
}

export interface TrustDomainConfig {
  readonly name: string;
  /** A file, or an https URL. */
  readonly bundle: string;
  readonly ca?: string | undefined;
}

export interface ServicesConfig {
  readonly listen: ListenAddress;
  readonly trustDomains: readonly TrustDomainConfig[];
  readonly issuers: readonly IssuerConfig[];
}

const issuerSchema: z.ZodType<IssuerConfig> = z.strictObject({
  name: id.describe('Prefix of its subjects in policies: service:ci:acme/shop.'),
  issuer,
  audiences: z.array(z.string().min(1)).min(1),
  keys: z.string().min(1).describe('The key set: a file, or an https URL.'),
  ca: file.optional().describe('PEM of the authority to trust when the keys are got.'),
  algorithms: z
    .array(z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']))
    .min(1)
    .default(['RS256']),
  require: z
    .record(z.string().min(1), z.string())
    .default({})
    .describe('Claims and the values they must have.'),
  subject: z
    .string()
    .min(1)
    .max(200)
    .default('{sub}')
    .describe('{claim} or {/json/pointer} stand for claims.'),
  maxLife: duration('1m', '1d').prefault('1h').describe('Tokens made for longer are refused.'),
  trustDomain: hostname.optional().describe('Its subjects are SPIFFE ids of this trust domain (JWT-SVID).'),
  review: z
    .strictObject({
      cluster: z.string().regex(CLUSTER, { error: 'expected lower-case letters, digits and "-", like prod' }),
      connectors: z
        .array(z.string().regex(CONNECTOR_NAME))
        .min(1, { error: 'name at least one connector in the cluster' }),
      keep: duration('1s', '30s').prefault('10s').describe('How long an answer counts.'),
    })
    .optional()
    .describe('Kubernetes: connectors in the cluster ask its API whether it still accepts a token.'),
});

export const servicesSchema: z.ZodType<ServicesConfig> = z
  .strictObject({
    listen: address.prefault('0.0.0.0:8445'),
    trustDomains: z
      .array(
        z.strictObject({
          name: hostname,
          bundle: z.string().min(1).describe('PEM or a SPIFFE bundle: a file, or an https URL.'),
          ca: file.optional().describe('PEM of the authority to trust when the bundle is got.'),
        }),
      )
      .default([]),
    issuers: z.array(issuerSchema).default([]),
  })
  .superRefine(({ trustDomains, issuers }, context) => {
    refuseTwice(
      trustDomains.map(({ name }) => name),
      ['trustDomains'],
      'name',
      context,
    );
    refuseTwice(
      issuers.map(({ name }) => name),
      ['issuers'],
      'name',
      context,
    );
    refuseTwice(
      issuers.map((one) => one.issuer),
      ['issuers'],
      'issuer',
      context,
    );
    refuseTwice(
      issuers.map(({ review }) => review?.cluster),
      ['issuers'],
      'review',
      context,
    );
    for (const [index, { review, audiences }] of issuers.entries()) {
      if (review === undefined || canAskAbout(audiences)) continue;
      const message =
        'with `review` expected at most 16 audiences, each of at most 1024 characters and less than 8 KiB in all';
      context.addIssue({ code: 'custom', path: ['issuers', index, 'audiences'], message });
    }
  })
  .describe('The listener for services. Left out: there is none.');

function refuseTwice(
  values: readonly (string | undefined)[],
  at: string[],
  key: string,
  context: z.RefinementCtx,
): void {
  for (const [index, value] of values.entries()) {
    if (value === undefined || values.indexOf(value) === index) continue;
    context.addIssue({ code: 'custom', path: [...at, index, key], message: `"${value}" is used twice` });
  }
}

/** Whoever is to vouch for names of our own trust domain too could make any of our services up. `own`: its name. */
export function refuseOwn(own: string, services: ServicesConfig | undefined, context: z.RefinementCtx): void {
  const message = `"${own}" is connectors.trustDomain, for which this installation alone vouches`;
  const refuse = (...path: (string | number)[]): void =>
    context.addIssue({ code: 'custom', path: ['services', ...path], message });
  for (const [index, { name }] of (services?.trustDomains ?? []).entries())
    if (name === own) refuse('trustDomains', index, 'name');
  for (const [index, { trustDomain }] of (services?.issuers ?? []).entries())
    if (trustDomain === own) refuse('issuers', index, 'trustDomain');
}

/** With every path made absolute. */
export function resolveServicesPaths(config: ServicesConfig, at: (path: string) => string): ServicesConfig {
  return {
    ...config,
    trustDomains: config.trustDomains.map(({ name, bundle, ca }) => ({
      ...{ name, bundle: bundle.startsWith('https://') ? bundle : at(bundle) },
      ...(ca === undefined ? {} : { ca: at(ca) }),
    })),
    issuers: config.issuers.map((one) => ({
      ...one,
      keys: one.keys.startsWith('https://') ? one.keys : at(one.keys),
      ...(one.ca === undefined ? {} : { ca: at(one.ca) }),
    })),
  };
}
