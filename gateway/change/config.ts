// What the configuration says of signed changes: who may sign, how many must, and where changes come from.
import { z } from 'zod';
import { file } from '#gateway/config-values';
import { COMMIT_ID } from './git-objects.ts';

export interface ChangesConfig {
  /** In OpenSSH's ALLOWED SIGNERS format. */
  readonly signers: string;
  readonly threshold: number;
  /** Exactly as the proposer's git names it. */
  readonly repository: string;
  readonly branch?: string | undefined;
  readonly commit?: string | undefined;
  readonly signedCommits: boolean;
  /** Further files that take effect only as they were signed. */
  readonly files: readonly string[];
  /** Where a change is put; looked at when the gateway starts and whenever it changes. */
  readonly bundle: string;
}

export const changesSchema: z.ZodType<ChangesConfig> = z
  .strictObject({
    signers: file.describe('Keys of those who may sign changes, in OpenSSH’s ALLOWED SIGNERS format.'),
    threshold: z.int().min(1).max(32).default(1).describe('How many different people must have signed.'),
    repository: z
      .string()
      .min(1)
      .max(512)
      .refine((url) => !/^[a-z+]+:\/\/[^/@]*:[^/@]*@/.test(url), {
        error: 'leave the password out: a repository is only compared, never fetched',
      })
      .describe('URL of the repository changes come from, as `git remote get-url origin` prints it.'),
    branch: z.string().min(1).max(255).optional().describe('The only branch changes come from.'),
    commit: z
      .string()
      .regex(COMMIT_ID, { error: 'expected the full id of a commit' })
      .optional()
      .describe('The only commit a change is taken from.'),
    signedCommits: z
      .boolean()
      .default(false)
      .describe('true: the commit itself must be signed with SSH by one of the signers too.'),
    files: z
      .array(file)
      .max(64)
      .default([])
      .describe('Further text files that the configuration names and that are part of every change.'),
    bundle: file.describe('Where a change is put; looked at when the gateway starts, and when it changes.'),
  })
  .describe('Policy and configuration are taken only from changes that authorised people signed.');

export function resolveChangesPaths(config: ChangesConfig, at: (path: string) => string): ChangesConfig {
  const { signers, files, bundle } = config;
  return { ...config, signers: at(signers), files: files.map(at), bundle: at(bundle) };
}
