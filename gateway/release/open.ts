// Measures a gateway's code when it starts, where its configuration says who signs releases: recorded, and said in the log.
import { readFileSync } from 'node:fs';
import { readAllowedSigners } from '#gateway/change/allowed-signers';
import type { GatewayConfig } from '#gateway/config';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import { installationRoot, isBuilt } from './manifest.ts';
import { type Measured, measure } from './measure.ts';

/** The program files are not those of a signed release, and the configuration says not to start then. */
export class DriftError extends Error {
  readonly code = 'code-drift';
}

export interface ReleaseParts {
  readonly recorder: Recorder;
  readonly log: Log;
  readonly now: () => number;
}

/** Undefined where nobody signs releases. Throws DriftError and SignersError. */
export async function openRelease(
  { release }: GatewayConfig,
  { recorder, log, now }: ReleaseParts,
): Promise<Measured | undefined> {
  if (release === undefined) return undefined;
  const root = installationRoot();
  const signers = readAllowedSigners(readFileSync(release.signers, 'utf8'), release.signers);
  const { manifest, onDrift } = release;
  const measured = measure({ root, built: isBuilt(root), manifest, signers, now: now() });
  await recorder.record({ kind: 'code-measured', ...measured }, { durable: true });
  if (measured.verdict === 'as-released') return measured;
  const message = describe(measured);
  log.error({ root }, message);
  if (onDrift === 'refuse') throw new DriftError(message);
  return measured;
}

/** One sentence for people. */
export function describe({ verdict, code, version, changed, missing, added }: Measured): string {
  if (verdict === 'as-released') return `the program files are those of release ${version}`;
  if (verdict === 'unproven') return `no signed manifest vouches for the program files (${code})`;
  const lists = [
    ['changed', changed],
    ['missing', missing],
    ['added', added],
  ] as const;
  const told = lists
    .filter(([, files]) => files.length > 0)
    .map(([word, files]) => `${word}: ${some(files)}`);
  return `the program files are not those of release ${version}; ${told.join('; ')}`;
}

function some(files: readonly string[]): string {
  const more = files.length > 5 ? ` and ${files.length - 5} more` : '';
  return `${files.slice(0, 5).join(', ')}${more}`;
}
