// Finds one decision again and explains it in full, from its record and the policy copy it was made with.
// For admins only: it shows rules and facts that the person who was denied may not see.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Explanation } from '#policy/decision';
import { type AccessRequest, INPUT_VERSION } from '#policy/input';
import { loadPolicy } from '#policy/load';
import type { EcsDocument } from './ecs/document.ts';
import { findEvent } from './outbox/read.ts';

/** Why there is no explanation, when there is none. */
export type Unexplained =
  | 'not-a-decision'
  /** The policy could not be asked when the request came. */
  | 'no-policy'
  | 'policy-copy-missing'
  | 'policy-copy-unreadable'
  | 'input-version';

/** What one record says, and what deciding again from it says. */
export interface Trace {
  readonly document: EcsDocument;
  readonly input?: AccessRequest;
  readonly explanation?: Explanation;
  readonly unexplained?: Unexplained;
  /** Where the copy of the policy is, or should be. */
  readonly policyCopy?: string;
  /** Whether deciding again gives the recorded verdict; rates, revocations and errors of that moment may differ. */
  readonly agrees?: boolean;
}

/** The trace of the event `id` in a gateway's state directory, or undefined if no record has that id. */
export async function traceEvent(state: string, id: string): Promise<Trace | undefined> {
  const document = await findEvent(join(state, 'outbox'), id);
  if (document === undefined) return undefined;
  const decision = decisionOf(document);
  if (decision?.input === undefined) return { document, unexplained: 'not-a-decision' };
  const { input, verdict, policy_hash: hash } = decision;
  // The hash becomes a file name: only one of ours may.
  if (hash === undefined || !/^[0-9a-f]{64}$/.test(hash))
    return { document, input, unexplained: 'no-policy' };
  if (input.version !== INPUT_VERSION) return { document, input, unexplained: 'input-version' };
  const policyCopy = join(state, 'policies', `${hash}.yaml`);
  let text: string;
  try {
    text = readFileSync(policyCopy, 'utf8');
  } catch {
    return { document, input, policyCopy, unexplained: 'policy-copy-missing' };
  }
  const loaded = loadPolicy(text, policyCopy);
  if (!loaded.ok || loaded.policy.hash !== hash) {
    return { document, input, policyCopy, unexplained: 'policy-copy-unreadable' };
  }
  const explanation = loaded.policy.explain(input);
  return { document, input, policyCopy, explanation, agrees: explanation.decision.verdict === verdict };
}

interface RecordedDecision {
  readonly verdict?: string;
  readonly policy_hash?: string;
  readonly input?: AccessRequest;
}

function decisionOf(document: EcsDocument): RecordedDecision | undefined {
  return (document['sallyport'] as { decision?: RecordedDecision } | undefined)?.decision;
}
