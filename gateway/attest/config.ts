// The configuration's part about devices: which TPM makers are trusted, and for how long a proof counts.
import { z } from 'zod';
import { duration, file } from '#gateway/config-values';
import type { EndorsementPaths } from './endorsement-files.ts';

/** Durations are milliseconds. */
export interface AttestationConfig extends EndorsementPaths {
  readonly pinnedKeys: boolean;
  readonly challenge: number;
  readonly result: number;
  readonly browser: number;
}

const files: z.ZodDefault<z.ZodArray<z.ZodType<string>>> = z.array(file).default([]);

export const attestationSchema: z.ZodObject<{
  roots: typeof files;
  intermediates: typeof files;
  revocationLists: typeof files;
  pinnedKeys: z.ZodDefault<z.ZodBoolean>;
  challenge: z.ZodPrefault<z.ZodType<number, string>>;
  result: z.ZodPrefault<z.ZodType<number, string>>;
  browser: z.ZodPrefault<z.ZodType<number, string>>;
}> = z.strictObject({
  roots: files.describe('PEM or DER files of the TPM makers whose word counts. None: no device can enrol.'),
  intermediates: files.describe('PEM or DER files of CAs between those and the TPMs.'),
  revocationLists: files.describe(
    'PEM or DER files; an issuer with a list is trusted only while it is current.',
  ),
  pinnedKeys: z
    .boolean()
    .default(false)
    .describe('Lets a TPM without certificate enrol if an admin named its endorsement key.'),
  challenge: duration('10s', '60s').prefault('60s').describe('Time a device has to answer a challenge.'),
  result: duration('10s', '24h')
    .prefault('15m')
    .describe('Time a proof counts; agents renew it in two thirds of it.'),
  browser: duration('1m', '24h')
    .prefault('8h')
    .describe('Time after which a browser shows its device again.'),
});

/** With every path made absolute. */
export function resolveAttestationPaths(
  config: AttestationConfig,
  at: (path: string) => string,
): AttestationConfig {
  const { roots, intermediates, revocationLists } = config;
  return {
    ...config,
    roots: roots.map(at),
    intermediates: intermediates.map(at),
    revocationLists: revocationLists.map(at),
  };
}
