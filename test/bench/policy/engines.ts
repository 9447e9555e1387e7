// What every engine is asked, and in what form: the same facts, derived once per request outside of the engine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addressNumber, berlinMinute, type RequestSeed, type Workload } from './workload.ts';

/** One engine loaded with one workload's rules. */
export interface Engine {
  readonly name: string;
  readonly version: string;
  decide(seed: RequestSeed): 'allow' | 'deny';
}

/**
 * The request as engines without notions of groups, zones and networks need it. Built anew for every decision, as
 * ours is; nested groups are flattened, local time and the address are numbers: all in the rivals' favour.
 */
export interface Facts {
  readonly app: string;
  readonly groups: readonly string[];
  readonly method: string;
  readonly path: string;
  readonly minute: number;
  readonly mfaAge: number;
  readonly hardened: boolean;
  readonly ip: number;
  readonly country: string;
  readonly risk: number;
}

export function factsOf(seed: RequestSeed, groups: readonly string[]): Facts {
  return {
    app: seed.app,
    groups,
    method: seed.method,
    path: seed.path,
    minute: berlinMinute(seed.at),
    mfaAge: seed.at - seed.mfaAt,
    hardened: seed.hardened,
    ip: addressNumber(seed.address),
    country: seed.country,
    risk: seed.risk,
  };
}

/** Names of each user's groups, flattened. */
export function groupNames(workload: Workload): readonly (readonly string[])[] {
  return workload.flattened.map((groups) => groups.map((group) => `t${group}`));
}

/** The version of an installed package, whatever its `exports` hide. */
export function versionOf(name: string): string {
  const file = join(import.meta.dirname, '../../../node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
