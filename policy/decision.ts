// What a decision says: verdict and stable reason, and on demand the explanation behind it.

/** Stable reason codes: a closed vocabulary that events, pages and detections rely on. */
export type Reason =
  | 'allowed'
  | 'denied-by-rule'
  | 'no-rule-matched'
  | 'no-rule-for-app'
  /** An allow whose obligation the request does not fulfil; found where obligations are carried out. */
  | 'step-up-required'
  | 'read-only'
  | 'session-too-old'
  | 'obligation-unsupported'
  | 'rate-limited'
  /** The person, device or service may no longer be let in; found before policy is asked. */
  | 'revoked'
  | 'error';

/** What requests are counted by. */
export type RateKey = 'user' | 'device' | 'app' | 'route' | 'address';

/** What a rule asks of an allowed request beyond letting it through. Durations are milliseconds. */
export interface Obligations {
  readonly stepUp?: { readonly mfa?: number; readonly phishingResistant?: boolean };
  readonly readOnly?: boolean;
  readonly redact?: string;
  /** Counted together for each combination of `by`; for each user where it is left out. */
  readonly rate?: { readonly requests: number; readonly per: number; readonly by?: readonly RateKey[] };
  readonly record?: boolean;
  readonly maxSession?: number;
}

/** The rule a verdict rests on, as people know it. */
export interface RuleRef {
  readonly id: string;
  readonly because?: string;
}

/** A verdict is a frozen object shared between requests: it holds nothing of the request. */
export interface Decision {
  readonly verdict: 'allow' | 'deny';
  readonly reason: Reason;
  readonly rule?: RuleRef;
  readonly obligations?: Obligations;
  /** Shadow rules that matched: what the verdict would have been. */
  readonly shadow?: readonly { readonly rule: string; readonly would: 'allow' | 'deny' }[];
}

/** One criterion that kept a rule from allowing (or made a deny rule match). */
export interface Unmet {
  /** The criterion's key in the document: `mfa`, `hours`, `device`, `who`, `methods`, … */
  readonly criterion: string;
  /** Stable code: `<criterion>-unknown`, `mfa-too-old`, `outside-hours`, `not-in-group`, … */
  readonly code: string;
  /** For an admin: what the rule asks and what the request had. */
  readonly need: string;
  readonly have: string;
}

/**
 * The smallest change that would allow the request, checked by deciding again with it. `next` is what must follow
 * when one change is not enough. Durations are milliseconds, `at` is epoch milliseconds.
 */
export type Remedy =
  | {
      readonly kind: 'step-up';
      readonly maxAge?: number;
      readonly acr?: string;
      readonly phishingResistant?: boolean;
      readonly next?: Remedy;
    }
  | { readonly kind: 'enrol-device'; readonly next?: Remedy }
  /** The device is known, and in a state that can be changed: its boot, its firmware, its settings. */
  | { readonly kind: 'mend-device'; readonly next?: Remedy }
  /** No connector that could carry the request is in the state a rule asks for: an admin's to mend. */
  | { readonly kind: 'mend-connector'; readonly next?: Remedy }
  | { readonly kind: 'wait-until'; readonly at: number; readonly next?: Remedy }
  | { readonly kind: 'request-access'; readonly next?: Remedy }
  | { readonly kind: 'none' };

/** Why a request was decided as it was. Only ever computed on deny or when somebody asks. */
export interface Explanation {
  readonly decision: Decision;
  /** Rules of this app nearest to deciding otherwise, nearest first. */
  readonly nearest: readonly {
    readonly rule: string;
    readonly effect: 'allow' | 'deny';
    readonly unmet: readonly Unmet[];
    readonly met: readonly string[];
  }[];
  readonly remedy: Remedy;
  /** Whether the person may learn that the app exists: some allow rule's `who` includes them. */
  readonly entitled: boolean;
}
