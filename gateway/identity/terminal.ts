// Lets a person's command line in by its token; a token that was bound to a device only together with a proof by the
// key in that device's TPM (RFC 9449). A bound token that comes as a mere bearer opens nothing.
import { ProofError, type Proofs } from './dpop.ts';
import type { LiveSession } from './live-session.ts';
import type { Sessions } from './sessions.ts';

/** The name under which a command line's door is kept; no host can be called that. */
export const CLI_DOOR = '(command line)';

const TOKEN = /^(Bearer|DPoP) ([A-Za-z0-9_-]{43})$/;

export interface TerminalRequest {
  readonly authorization: string | undefined;
  /** The DPoP header. */
  readonly proof: string | undefined;
  readonly method: string;
  /** Without query. */
  readonly url: string;
}

export interface Terminal {
  readonly session: LiveSession;
  readonly token: string;
}

export class Terminals {
  readonly #sessions: Sessions;
  readonly #proofs: Proofs;

  constructor(sessions: Sessions, proofs: Proofs) {
    this.#sessions = sessions;
    this.#proofs = proofs;
  }

  /** Undefined where nobody is signed in. @throws {ProofError} when the proof does not fit. */
  async find(request: TerminalRequest): Promise<Terminal | undefined> {
    const { authorization, proof, method, url } = request;
    const [, scheme, token = ''] = TOKEN.exec(authorization ?? '') ?? [];
    if (scheme === undefined) return undefined;
    const session = await this.#sessions.find(token, CLI_DOOR);
    if (session === undefined) return undefined;
    if (scheme === 'Bearer' && session.bond === undefined) return { session, token };
    const key = await this.#proofs.spend(scheme === 'DPoP' ? proof : undefined, { method, url, token });
    if (session.bond !== undefined && session.bond.key !== key) {
      throw new ProofError(
        'proof-other-key',
        'The proof was made with another key than the sign-in is bound to. Sign in again: sallyport login.',
      );
    }
    return { session, token };
  }
}
