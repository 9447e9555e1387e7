// What the configuration says of one identity provider.
import { z } from 'zod';
import { file, id, issuer } from '#gateway/config-values';
import { RESERVED_PREFIXES } from '#policy/subject/directory';

/** One identity provider. */
export interface ProviderConfig {
  readonly id: string;
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: { readonly file: string } | undefined;
  readonly ca?: string | undefined;
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  readonly rolesClaim: string;
  readonly signingAlgorithm: string;
  readonly mfa: { readonly amr: readonly string[]; readonly acr: readonly string[] };
}

export const providerSchema: z.ZodType<ProviderConfig> = z.strictObject({
  id: id
    .refine((name) => !RESERVED_PREFIXES.has(name), 'this prefix means something else in policies')
    .describe("Prefix of this provider's groups in policies, as in corp:engineering."),
  name: z.string().min(1).max(80).describe('What people see on the sign-in page.'),
  issuer,
  clientId: z.string().min(1),
  clientSecret: z.strictObject({ file }).optional().describe('Left out for a public client. Mode 0600.'),
  ca: file.optional().describe('PEM of the authorities to trust for this provider instead of the system’s.'),
  scopes: z
    .array(z.string().min(1))
    .default(['openid', 'profile', 'email'])
    .refine((list) => list.includes('openid'), {
      error: 'scopes must include openid',
    }),
  groupsClaim: z.string().min(1).default('groups'),
  rolesClaim: z.string().min(1).default('roles'),
  signingAlgorithm: z.enum(['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']).default('RS256'),
  mfa: z
    .strictObject({
      amr: z.array(z.string().min(1)).default(['mfa', 'otp', 'hwk', 'swk', 'fpt', 'face', 'sc', 'pop']),
      acr: z.array(z.string().min(1)).default([]),
    })
    .prefault({})
    .describe('Which claims show that a second factor was used (RFC 8176); acr values are also asked for.'),
});
