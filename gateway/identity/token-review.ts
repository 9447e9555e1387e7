// Whether its cluster still accepts a Kubernetes token: the keys of the issuer know nothing of a pod that is gone. It is
// asked after the signature was found good, and can only say no to what that said yes to.
import type { JWTPayload } from 'jose';
import type { Review, ReviewQuestion } from '#connectors/wire/token-review';
import { claimOf } from './claim.ts';

/** Answers remembered, and questions under way at once. */
const REMEMBERED = 10_000;
const AT_ONCE = 256;
/** For how long what is open stays so while whoever vouched cannot be asked, in milliseconds: as long as leases hold. */
export const GRACE = 30_000;

/** What is asked about. Its signature, issuer and times are good. */
export interface AskedToken {
  readonly token: string;
  /** Names it in memory. */
  readonly fingerprint: string;
  readonly claims: JWTPayload;
  /** Those of ours; one of them is the token's. */
  readonly audiences: readonly string[];
}

export interface TokenReviewsParts {
  /** Rejects when it cannot be asked. */
  readonly ask: (question: ReviewQuestion) => Promise<Review>;
  /** How long an answer counts, in milliseconds. */
  readonly keep: number;
  readonly now: () => number;
}

/** `unavailable`: nobody could be asked. `other`: accepted, but not as what its claims say. */
export type Reviewed = 'accepted' | 'refused' | 'other' | 'unavailable';

interface Known {
  readonly verdict: Reviewed;
  readonly at: number;
  readonly until: number;
}

export class TokenReviews {
  readonly #parts: TokenReviewsParts;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<Reviewed>>();

  constructor(parts: TokenReviewsParts) {
    this.#parts = parts;
  }

  /** Never rejects. Who asks for the same token while it is asked about gets the same answer. */
  async review(asked: AskedToken): Promise<Reviewed> {
    const { fingerprint } = asked;
    const known = this.#recent(fingerprint);
    if (known !== undefined) return known.verdict;
    let asking = this.#asking.get(fingerprint);
    if (asking === undefined) {
      if (this.#asking.size >= AT_ONCE) return 'unavailable';
      asking = this.#ask(asked).finally(() => this.#asking.delete(fingerprint));
      this.#asking.set(fingerprint, asking);
    }
    return asking;
  }

  /**
   * For what stays open after a token was accepted: whether it still is, as known at this moment. What is no longer known
   * is asked anew meanwhile.
   */
  follow(asked: AskedToken): () => boolean {
    let good = this.#parts.now();
    return () => {
      const last = this.#known.get(asked.fingerprint);
      if (this.#recent(asked.fingerprint) === undefined) void this.review(asked);
      if (last?.verdict === 'accepted') good = Math.max(good, last.at);
      else if (last !== undefined) return false;
      return this.#parts.now() - good < GRACE;
    };
  }

  #recent(fingerprint: string): Known | undefined {
    const known = this.#known.get(fingerprint);
    return known !== undefined && this.#parts.now() < known.until ? known : undefined;
  }

  async #ask(asked: AskedToken): Promise<Reviewed> {
    const { ask, keep, now } = this.#parts;
    const { token, fingerprint, claims, audiences } = asked;
    // As of before the question: the cluster may have changed its mind while the answer travelled.
    const at = now();
    let review: Review;
    try {
      review = await ask({ token, audiences });
    } catch {
      return 'unavailable';
    }
    const verdict = verdictOf(review, claims, audiences);
    const until = Math.min(at + keep, (claims.exp ?? 0) * 1000);
    this.#known.delete(fingerprint);
    this.#known.set(fingerprint, { verdict, at, until });
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value ?? '');
    return verdict;
  }
}

function verdictOf(review: Review, claims: JWTPayload, asked: readonly string[]): Reviewed {
  if (!review.authenticated) return 'refused';
  const { user, audiences } = review;
  const own = [claims.aud ?? []].flat();
  // A server that says nothing of audiences does not look at them (Kubernetes API, TokenReviewStatus).
  const meant = audiences.length > 0 && audiences.every((one) => asked.includes(one) && own.includes(one));
  const named = user.username === claims.sub;
  const same = NAMED.every(({ claim, extra, said }) => {
    const claimed = claimOf(claims, claim);
    const found = extra === undefined ? listed(user.uid) : user.extra.get(KEY + extra);
    if (found === undefined) return claimed === undefined || said !== 'always';
    // What old tokens have no claim for may still be told; a pod or an account may not.
    if (claimed === undefined) return said === 'newly';
    return found.length === 1 && found[0] === (extra === 'credential-id' ? `JTI=${claimed}` : claimed);
  });
  return meant && named && same ? 'accepted' : 'other';
}

const KEY = 'authentication.kubernetes.io/';

/**
 * What the API tells of a service account's token beside its name, and the claims that say the same. `always`: told of
 * every token that claims it; `newly`: since some version of Kubernetes (1.30).
 */
const NAMED: readonly {
  readonly claim: string;
  /** Undefined for the user's uid. */
  readonly extra?: string;
  readonly said: 'always' | 'newly';
}[] = [
  { claim: '/kubernetes.io/serviceaccount/uid', said: 'always' },
  { claim: '/kubernetes.io/pod/name', extra: 'pod-name', said: 'always' },
  { claim: '/kubernetes.io/pod/uid', extra: 'pod-uid', said: 'always' },
  { claim: '/kubernetes.io/node/name', extra: 'node-name', said: 'newly' },
  { claim: '/kubernetes.io/node/uid', extra: 'node-uid', said: 'newly' },
  { claim: 'jti', extra: 'credential-id', said: 'newly' },
];

function listed(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}
