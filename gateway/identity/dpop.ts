// DPoP proofs (RFC 9449): that whoever sends a token also holds the key it is bound to, for this request and once.
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify } from 'jose';
import type { Store } from '#gateway/state/store';
import { hashSecret } from './cookies.ts';

/** A proof may be this old, or this far ahead, in milliseconds. */
const PROOF_LIFE = 60_000;
const MAX_PROOF = 2048;
const MAX_ID = 128;

export type ProofFailure =
  | 'proof-missing'
  | 'proof-invalid'
  | 'proof-late'
  | 'proof-replayed'
  | 'proof-other-key';

/** The proof does not show what it must. `message` is for whoever sent it. */
export class ProofError extends Error {
  readonly code: ProofFailure;
  constructor(code: ProofFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The request that a proof must be about. */
export interface ProvenRequest {
  readonly method: string;
  /** Without query. */
  readonly url: string;
  /** That goes with it; undefined where one is asked for. */
  readonly token?: string;
}

export class Proofs {
  readonly #store: Pick<Store, 'create'>;
  readonly #now: () => number;

  constructor(store: Pick<Store, 'create'>, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** The RFC 7638 thumbprint of the key that made `proof`, which is burnt. @throws {ProofError} */
  async spend(proof: string | undefined, request: ProvenRequest): Promise<string> {
    if (proof === undefined) {
      throw new ProofError('proof-missing', 'This is bound to a key: it needs a DPoP proof.');
    }
    const { claims, key } = await verified(proof, 'dpop+jwt', this.#now());
    const { htm, htu, ath, jti } = claims;
    const token = request.token === undefined ? undefined : hashSecret(request.token);
    if (htm !== request.method || htu !== request.url || ath !== token) {
      throw new ProofError('proof-invalid', 'The DPoP proof is for another request.');
    }
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID) {
      throw new ProofError('proof-invalid', 'The DPoP proof has no id.');
    }
    // Kept for as long as any gateway would still take it.
    const at = this.#now();
    if (!(await this.#store.create('usedProof', hashSecret(`${key} ${jti}`), { at }, at + 2 * PROOF_LIFE))) {
      throw new ProofError('proof-replayed', 'The DPoP proof was used before.');
    }
    return key;
  }
}

/** What a statement says, signed by the P-256 key it carries, and that key's thumbprint. @throws {ProofError} */
export async function verified(
  statement: string,
  type: string,
  now: number,
): Promise<{ readonly claims: Readonly<Record<string, unknown>>; readonly key: string }> {
  if (statement.length > MAX_PROOF) throw new ProofError('proof-invalid', 'The proof is too large.');
  try {
    const { payload, protectedHeader } = await jwtVerify(statement, EmbeddedJWK, {
      typ: type,
      algorithms: ['ES256'],
      requiredClaims: ['iat'],
      currentDate: new Date(now),
    });
    const { iat = Number.NaN } = payload;
    if (!(Math.abs(now - iat * 1000) <= PROOF_LIFE)) {
      throw new ProofError('proof-late', 'The proof is too old or from the future: set the clock right.');
    }
    return { claims: payload, key: await calculateJwkThumbprint(protectedHeader.jwk ?? {}) };
  } catch (cause) {
    if (cause instanceof ProofError) throw cause;
    const known =
      cause instanceof errors.JOSEError || cause instanceof TypeError || cause instanceof DOMException;
    if (!known) throw cause;
    throw new ProofError('proof-invalid', 'The proof is not valid.', { cause });
  }
}
