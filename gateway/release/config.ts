// What the configuration says of the release a gateway is: who signs releases, and what happens when this is none.
import { z } from 'zod';
import { file } from '#gateway/config-values';

export interface ReleaseConfig {
  /** In OpenSSH's ALLOWED SIGNERS format. */
  readonly signers: string;
  /** Left out: beside the program, where the package has it. */
  readonly manifest?: string | undefined;
  readonly onDrift: 'report' | 'refuse';
}

export const releaseSchema: z.ZodType<ReleaseConfig> = z
  .strictObject({
    signers: file.describe('Keys of those who sign releases, in OpenSSH’s ALLOWED SIGNERS format.'),
    manifest: file.optional().describe('The manifest; its signatures lie beside it, with .sig at the end.'),
    onDrift: z
      .enum(['report', 'refuse'])
      .default('report')
      .describe('refuse: do not start on program files that are not those of a signed release.'),
  })
  .describe('Program files are compared with the signed manifest of their release when the gateway starts.');

export function resolveReleasePaths(config: ReleaseConfig, at: (path: string) => string): ReleaseConfig {
  const { manifest } = config;
  return {
    ...config,
    signers: at(config.signers),
    ...(manifest === undefined ? {} : { manifest: at(manifest) }),
  };
}
