// What the configuration says of SSH certificates for an app: as whom people may log in there, and within what bounds.
import { isIP } from 'node:net';
import { z } from 'zod';
import { duration, hostname } from '#gateway/config-values';
import { OWN_ACCOUNT, PRINCIPAL } from './certificate.ts';

/** What sshd lets holders of a certificate do besides running commands (sshd(8), AUTHORIZED_KEYS). */
const EXTENSIONS = [
  'permit-X11-forwarding',
  'permit-agent-forwarding',
  'permit-port-forwarding',
  'permit-pty',
  'permit-user-rc',
] as const;

export interface SshConfig {
  readonly principals: readonly string[];
  /** Of the verified addresses that name people's own accounts. */
  readonly domain?: string | undefined;
  /** Milliseconds. */
  readonly life: number;
  readonly extensions: readonly (typeof EXTENSIONS)[number][];
  /** Addresses or networks from which sshd sees connections come. */
  readonly sources: readonly string[];
  readonly command?: string | undefined;
}

const network = z.string().refine(isNetwork, {
  error: 'expected an address or a network, like 10.0.4.7 or 10.0.4.0/24',
});

export const sshSchema: z.ZodType<SshConfig> = z
  .strictObject({
    principals: z
      .array(
        z.string().refine((text) => text === OWN_ACCOUNT || PRINCIPAL.test(text), {
          error: `expected names of accounts like deploy, without spaces or commas, or ${OWN_ACCOUNT}`,
        }),
      )
      .min(1)
      .max(32)
      .describe(`Accounts that whoever may reach the app may log in to; ${OWN_ACCOUNT}: their own.`),
    domain: hostname
      .optional()
      .describe(`${OWN_ACCOUNT} is what stands before it in a person's verified address.`),
    life: duration('1m', '24h').prefault('15m').describe('At most; never beyond the session.'),
    extensions: z
      .array(z.enum(EXTENSIONS))
      .default(['permit-pty'])
      .describe('What sshd lets them do besides running commands.'),
    sources: z
      .array(network)
      .max(64)
      .default([])
      .describe(
        'Where connections to sshd must come from: the addresses of the connectors. Left out: anywhere.',
      ),
    command: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[\x20-\x7e]+$/, { error: 'expected one line of printable ASCII' })
      .optional()
      .describe('Runs instead of what was asked for.'),
  })
  .superRefine(({ principals, domain }, context) => {
    if (!principals.includes(OWN_ACCOUNT) || domain !== undefined) return;
    const message = `${OWN_ACCOUNT} needs the key \`domain\`: two people of two domains must not be one account`;
    context.addIssue({ code: 'custom', path: ['principals'], message });
  })
  .describe('SSH certificates: sshd behind this app trusts `sallyport ca ssh-public-key`.');

function isNetwork(text: string): boolean {
  const [, address = '', bits] = /^([0-9a-f.:]+)(?:\/([0-9]{1,3}))?$/i.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(bits ?? 0) <= (family === 4 ? 32 : 128);
}
