// What the configuration says of admins: their keys, their roles, the accounts for emergencies.
import { z } from 'zod';
import { duration, file } from '#gateway/config-values';
import { ROLES, type Role } from './roles.ts';

export interface AdminConfig {
  /** In OpenSSH's ALLOWED SIGNERS format. */
  readonly signers: string;
  /** A Unix socket in the place of the one in the state directory; requests on it are all signed. */
  readonly socket?: string | undefined;
  readonly roles: Readonly<Partial<Record<Role, readonly string[] | undefined>>>;
  readonly breakGlass: {
    /** Names from the list of signers. */
    readonly accounts: readonly string[];
    /** Milliseconds for which an account stays open. */
    readonly lasts: number;
  };
}

const names = z.array(z.string().min(1).max(128));

export const adminSchema: z.ZodType<AdminConfig> = z
  .strictObject({
    signers: file.describe('Keys of those who may sign requests, in OpenSSH’s ALLOWED SIGNERS format.'),
    socket: file
      .optional()
      .describe('Where the admin socket lies. Anybody may open it: requests are signed.'),
    roles: z
      .strictObject(
        Object.fromEntries(ROLES.map((role) => [role, names.optional()])) as Record<
          Role,
          z.ZodOptional<typeof names>
        >,
      )
      .describe('Who has which role, by the names in the list of signers.'),
    breakGlass: z
      .strictObject({ accounts: names.default([]), lasts: duration('5m', '8h').prefault('1h') })
      .prefault({})
      .describe('Accounts for emergencies: sealed until they are opened, and each opened only once.'),
  })
  .superRefine(({ roles, breakGlass }, context) => {
    const both = breakGlass.accounts.find((name) =>
      Object.values(roles).some((some) => some?.includes(name)),
    );
    if (both !== undefined) {
      const message = `${both} has a role as well: an account for emergencies is for nothing else`;
      context.addIssue({ code: 'custom', path: ['breakGlass', 'accounts'], message });
    }
  })
  .describe('Requests of admins are signed with SSH keys, and what each may ask for is said by roles.');

/** Names that must be in the list of signers. */
export function namedAdmins({ roles, breakGlass }: AdminConfig): readonly string[] {
  return [...Object.values(roles).flatMap((names) => names ?? []), ...breakGlass.accounts];
}

export function resolveAdminPaths(config: AdminConfig, at: (path: string) => string): AdminConfig {
  const { socket } = config;
  return { ...config, signers: at(config.signers), ...(socket === undefined ? {} : { socket: at(socket) }) };
}
