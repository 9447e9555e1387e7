// What the configuration says of assertions (when their keys change, what each app wants in and beside them) and of the
// authorities (where their keys are, how many certificates they give a second).
import { z } from 'zod';
import { duration, file } from '#gateway/config-values';
import type { AssertionWishes } from './assertion.ts';
import { KEY_PLACES, type KeyPlace } from './signer/signer.ts';

/** Names under which other gateways pass on who asks. `unsigned`: plain X-Forwarded-* fields. */
const COMPATIBLE = ['iap', 'pomerium', 'cloudflare', 'unsigned'] as const;
export type CompatibleHeaders = (typeof COMPATIBLE)[number];

export interface AppAssertion extends AssertionWishes {
  /** Ids of the services that are this app: they alone may pass on the names it is told. */
  readonly exchange: readonly string[];
  readonly headers: readonly CompatibleHeaders[];
}

export interface AssertionsConfig {
  /** Milliseconds for which one key signs. */
  readonly rotate: number;
}

export const assertionsSchema: z.ZodType<AssertionsConfig> = z
  .strictObject({ rotate: duration('2d', '365d').prefault('30d') })
  .describe('rotate: how long one key signs. The next is published a day before, old ones for a week after.');

export const appAssertion: z.ZodType<AppAssertion> = z
  .strictObject({
    bind: z
      .enum(['session', 'request'])
      .default('session')
      .describe('request: signed for one method, address and decision each.'),
    groups: z.array(z.string().min(1)).optional().describe('The only groups the app is told of.'),
    exchange: z
      .array(z.string().min(1).max(2048))
      .max(64)
      .default([])
      .describe(
        'Ids of the services that are this app: they may ask other apps in the name of who asked it.',
      ),
    headers: z
      .array(z.enum(COMPATIBLE))
      .default([])
      .describe(
        'The same assertion under the names of other gateways; unsigned: plain X-Forwarded-* fields.',
      ),
  })
  .describe('What the app is told of who asks, and how.');

export interface PkiConfig {
  /** Where new keys of authorities are made. */
  readonly keys: KeyPlace;
  readonly passphrase?: { readonly file: string } | undefined;
  readonly pkcs11?:
    | { readonly module: string; readonly token: string; readonly pin: { readonly file: string } }
    | undefined;
  readonly tpm?: string | undefined;
  readonly perSecond: number;
}

const secretFile = z.strictObject({ file });

export const pkiSchema: z.ZodType<PkiConfig> = z
  .strictObject({
    keys: z.enum(KEY_PLACES).default('file').describe('Where new keys of authorities are made.'),
    passphrase: secretFile
      .optional()
      .describe('Opens keys in files, mode 0600. Left out: a file of its own beside each authority’s keys.'),
    pkcs11: z
      .strictObject({
        module: file.describe('The library of the token’s maker.'),
        token: z.string().min(1).max(32).describe('Its label.'),
        pin: secretFile.describe('Mode 0600.'),
      })
      .optional(),
    tpm: z.string().min(1).optional().describe('/dev/tpmrm0, or swtpm:127.0.0.1:PORT.'),
    perSecond: z.int().min(1).max(10_000).default(200).describe('Certificates a second, at most.'),
  })
  .superRefine(({ keys, pkcs11, tpm }, context) => {
    const missing = (keys === 'pkcs11' && pkcs11 === undefined) || (keys === 'tpm' && tpm === undefined);
    if (!missing) return;
    context.addIssue({
      code: 'custom',
      path: ['keys'],
      message: `keys in a ${keys} need the key \`${keys}\``,
    });
  })
  .describe('The authorities that vouch for connectors and services, and where their keys are.');

/** With every path made absolute. */
export function resolvePkiPaths(config: PkiConfig, at: (path: string) => string): PkiConfig {
  const { passphrase, pkcs11 } = config;
  return {
    ...config,
    ...(passphrase === undefined ? {} : { passphrase: { file: at(passphrase.file) } }),
    ...(pkcs11 === undefined
      ? {}
      : { pkcs11: { ...pkcs11, module: at(pkcs11.module), pin: { file: at(pkcs11.pin.file) } } }),
  };
}
