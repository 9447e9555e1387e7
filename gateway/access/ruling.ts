// The one place where a request is allowed: whoever was revoked is not, and of all others policy decides. Whatever goes wrong
// on the way is a deny.

import type { LiveSession } from '#gateway/identity/live-session';
import type { Decision, Explanation } from '#policy/decision';
import type { AccessRequest } from '#policy/input';
import type { Policy, PreparedSubject } from '#policy/load';

/** A verdict with the policy it came from, as it will be recorded. */
export interface Ruling {
  readonly decision: Decision;
  /** Hash of the policy document. */
  readonly policy: string;
  /** On deny. */
  readonly explanation?: Explanation;
  /** Seconds after which it is worth asking again, where it is a rate that was exceeded. */
  readonly retryAfter?: number;
}

const ERROR: Decision = Object.freeze({ verdict: 'deny', reason: 'error' });
const NOTHING_KNOWN: Explanation = Object.freeze({
  decision: ERROR,
  nearest: [],
  remedy: { kind: 'none' as const },
  entitled: false,
});

const REVOKED: Decision = Object.freeze({ verdict: 'deny', reason: 'revoked' });

/** What somebody is told of an app that is not there: the same as of one that no rule opens to them. */
export const NOT_ENTITLED: Ruling = Object.freeze({
  decision: Object.freeze({ verdict: 'deny', reason: 'no-rule-for-app' }),
  policy: '',
  explanation: NOTHING_KNOWN,
});

/** Subjects prepared for the policy in force, one per live session; the oldest goes first. */
const PREPARED_LIMIT = 50_000;

export class Rulings {
  readonly #policy: () => Policy;
  readonly #revoked: (session: LiveSession, input: AccessRequest) => boolean;
  #prepared = new Map<string, PreparedSubject>();
  #preparedFor: Policy | undefined;

  /**
   * `policy`: the policy in force; read anew for every request, so that a swap is at once. `revoked`: whether who asks,
   * or what they ask from, was revoked; it may throw where that is not known, which is a deny.
   */
  constructor(
    policy: () => Policy,
    revoked: (session: LiveSession, input: AccessRequest) => boolean = () => false,
  ) {
    this.#policy = policy;
    this.#revoked = revoked;
  }

  /** Decides one request, and says of a denial why. Never throws. */
  rule(session: LiveSession, input: AccessRequest): Ruling {
    const judged = this.judge(session, input);
    return judged.decision.verdict === 'allow' ? judged : this.reasoned(judged, input);
  }

  /** Decides one request without the price of explaining a denial; `spent` as for a policy. Never throws. */
  judge(session: LiveSession, input: AccessRequest, spent?: ReadonlySet<string>): Ruling {
    try {
      const policy = this.#policy();
      if (this.#revoked(session, input)) return { decision: REVOKED, policy: policy.hash };
      return { decision: policy.decide(input, this.#subject(policy, session), spent), policy: policy.hash };
    } catch {
      return { decision: ERROR, policy: '' };
    }
  }

  /** A denial that was judged, with its explanation. Never throws. */
  reasoned({ decision, policy }: Ruling, input: AccessRequest): Ruling {
    return { decision, policy, explanation: this.#explanationOf(decision, input) };
  }

  #explanationOf(decision: Decision, input: AccessRequest): Explanation {
    const { reason } = decision;
    return reason === 'revoked' || reason === 'error' ? { ...NOTHING_KNOWN, decision } : this.explain(input);
  }

  /** Whether the policy in force decides about this app by the connector, too. */
  asksConnector(app: string): boolean {
    return this.#policy().asksConnector(app);
  }

  /** The trace of a request as the policy in force explains it; for the portal's cards. Never throws. */
  explain(input: AccessRequest): Explanation {
    try {
      return this.#policy().explain(input);
    } catch {
      return NOTHING_KNOWN;
    }
  }

  #subject(policy: Policy, session: LiveSession): PreparedSubject {
    if (this.#preparedFor !== policy) {
      this.#prepared = new Map();
      this.#preparedFor = policy;
    }
    const known = this.#prepared.get(session.id);
    if (known !== undefined) return known;
    const prepared = policy.prepare(session.subject);
    this.#prepared.set(session.id, prepared);
    if (this.#prepared.size > PREPARED_LIMIT) {
      const oldest = this.#prepared.keys().next();
      if (!oldest.done) this.#prepared.delete(oldest.value);
    }
    return prepared;
  }
}
