// The policy in force, as those see it who ask it: it decides, and explains when asked.
import { createHash } from 'node:crypto';
import type { Compiled } from './compile.ts';
import type { Decision, Explanation } from './decision.ts';
import type { AccessRequest, Subject } from './input.ts';

/** A subject with its group memberships resolved against one policy. Keep it with the session. */
export interface PreparedSubject {
  readonly subject: Subject;
  readonly selectors: Uint32Array;
  /** The policy that resolved it; another policy resolves it again. */
  readonly policy: Policy;
}

export interface Policy {
  /** SHA-256 of the document's bytes, in hex. */
  readonly hash: string;
  readonly apps: readonly string[];
  /** Compiled rules and their index, for explanations, analyses and tools. */
  readonly compiled: Compiled;
  prepare(subject: Subject): PreparedSubject;
  /**
   * Never throws; without a matching allow rule, and on any error, the verdict is deny. `spent`: ids of allow rules that
   * count no more, as their rates are used up.
   */
  decide(request: AccessRequest, subject: PreparedSubject, spent?: ReadonlySet<string>): Decision;
  /** Why `request` is decided as it is. Costs many decisions: ask on deny, or when somebody wants to know. */
  explain(request: AccessRequest): Explanation;
  /** Whether decisions about the app depend on the connector that a request goes through. */
  asksConnector(app: string): boolean;
}

/** SHA-256 in hex of a document's bytes as UTF-8. */
export function documentHash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
