// From the text of a policy document to the policy in force, or to everything that is wrong with it. A document
// whose own tests fail is refused like one that cannot be read.
import type { Problem } from './document.ts';
import type { Policy } from './policy.ts';
import { readPolicy } from './read.ts';

export type Loading =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Never throws for bad text; `file` only names the document in reports. Blocks: see `loadPolicyOffThread`. */
export function loadPolicy(text: string, file: string): Loading {
  const reading = readPolicy(text, file);
  if (!reading.ok) return reading;
  if (reading.failures.length > 0) return { ok: false, problems: reading.failures };
  return { ok: true, policy: reading.policy, warnings: reading.warnings };
}

export type { Policy, PreparedSubject } from './policy.ts';
