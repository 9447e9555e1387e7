// Opens what a gateway goes by: its measured code, the signed change, the policy. Nothing that must be signed and is not
// gets past here.
import { PolicyFile } from './access/policy-file.ts';
import type { Changes } from './change/changes.ts';
import { type OpenOptions, openChanges } from './change/open.ts';
import type { GatewayConfig } from './config.ts';
import type { Measured } from './release/measure.ts';
import { openRelease, type ReleaseParts } from './release/open.ts';

export interface InForceParts extends OpenOptions, ReleaseParts {
  /** Called after a new policy took effect. */
  readonly onSwap: () => void;
}

export interface InForce {
  /** With the signed copies of files in their place. */
  readonly config: GatewayConfig;
  /** How the program files compare with their release; undefined where nobody signs releases. */
  readonly release: Measured | undefined;
  /** Undefined where nothing needs to be signed. */
  readonly changes: Changes | undefined;
  readonly policyFile: PolicyFile;
}

/** Throws DriftError, ChangeRefusal, KeptChangeError, SignersError and PolicyFileError. */
export async function openInForce(parts: InForceParts, undo: (() => unknown)[]): Promise<InForce> {
  const { config, recorder, onSwap } = parts;
  const release = await openRelease(config, parts);
  const changes = await openChanges(parts);
  undo.push(() => changes?.close());
  const { policy: file, state } = config;
  const policyFile = await PolicyFile.open({ file, signed: changes, state, recorder, onSwap });
  undo.push(() => policyFile.close());
  return { config: changes?.config ?? config, release, changes, policyFile };
}
