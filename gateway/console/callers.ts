// Who asks the admin API, and in which roles. Without `admin` in the configuration that is whoever may open the socket,
// and who owns the gateway's files thereby; with it, whoever signed the request with a listed key, and nobody else.
import { randomUUID } from 'node:crypto';
import { isValidAt, type Signer, signsFor } from '#gateway/change/allowed-signers';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { readSshSignature } from '#gateway/change/sshsig';
import { hashSecret } from '#gateway/identity/cookies';
import { Counts } from '#gateway/state/counts';
import { StateError } from '#gateway/state/error';
import type { Store } from '#gateway/state/store';
import type { Actor } from '#siem/parties';
import type { BreakGlass } from './break-glass.ts';
import type { AdminConfig } from './config.ts';
import { OPEN_BREAK_GLASS, ROLES, ROUTES } from './roles.ts';
import type { Shares } from './shares.ts';
import { ADMIN_NAMESPACE, type SignedRequest, textToSign } from './signed-request.ts';

/** How far a request's time may be from ours, in milliseconds. */
const SKEW = 60_000;

const TEXTS = {
  'signature-missing': 'requests to this gateway are signed: set SALLYPORT_ADMIN_KEY to your SSH key',
  'signature-invalid': 'the signature is not of this request, or not made for admin requests',
  'signature-old': 'the request was signed more than a minute ago or ahead: compare the clocks',
  'signature-replayed': 'the same request was answered already',
  'state-unreachable':
    'whether the same request was answered already cannot be told, because the state does not answer',
  'signer-unknown': 'the key is not listed among the admins’, or not valid now',
  'too-many':
    'you have too many requests under way, or asked more often than ten times a second for a minute',
  'role-missing': 'none of your roles may do that',
  'break-glass-sealed': 'the account is sealed: open it with `sallyport admin break-glass`',
  'break-glass-spent': 'the account was opened before and is closed for good: its key must be replaced',
} as const;

export type AdminRefusalCode = keyof typeof TEXTS;

/** A request is not answered. */
export class AdminRefusal extends Error {
  readonly code: AdminRefusalCode;
  /** Whoever is known to have asked. */
  readonly caller: Caller | undefined;

  constructor(code: AdminRefusalCode, caller?: Caller, detail = '') {
    super(`${TEXTS[code]}${detail}`);
    this.code = code;
    this.caller = caller;
  }
}

/** An admin has had their share. */
export class ShareSpent extends AdminRefusal {
  /** Seconds after which they may ask again. */
  readonly retryAfter: number;

  /** `wait`: milliseconds. */
  constructor(caller: Caller, wait: number) {
    const retryAfter = Math.max(1, Math.ceil(wait / 1000));
    super('too-many', caller, `: ask again in ${retryAfter} s`);
    this.retryAfter = retryAfter;
  }
}

export interface Caller {
  readonly actor: Actor;
  /** Roles of the table; `owner`; `break-glass`. */
  readonly roles: readonly string[];
  /** Of the key, where the request was signed. */
  readonly fingerprint?: string | undefined;
  readonly breakGlass: boolean;
}

/** A request as it came; `signature` is the body of an armoured one. */
export interface AskedRequest extends Omit<SignedRequest, 'gateway' | 'at' | 'nonce'> {
  readonly signature: string | undefined;
  readonly at: string | undefined;
  readonly nonce: string | undefined;
  /** What somebody without a signature says that their name is. */
  readonly operator: string | undefined;
  /** Set by a supervisor, for all workers that it asks the same. */
  readonly round: string | undefined;
}

export interface CallersOptions {
  readonly admin: AdminConfig | undefined;
  readonly gateway: string;
  /** The list as it is now. */
  signers(): readonly Signer[];
  readonly breakGlass: BreakGlass;
  readonly shares: Pick<Shares, 'spend'>;
  /** Where it is kept which requests were answered, for all who may be asked the same. */
  readonly store: Pick<Store, 'update'>;
  /** Whether a supervisor, and nobody else, asks here. */
  readonly supervised: boolean;
  readonly now: () => number;
}

export class Callers {
  readonly #options: CallersOptions;
  /** Requests of accounts for emergencies, which are answered even when the state does not answer. */
  readonly #emergencies: Counts;

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#emergencies = new Counts(options.now);
  }

  /** Rejects with AdminRefusal. */
  async identify(request: AskedRequest): Promise<Caller> {
    const { admin, breakGlass, shares } = this.#options;
    if (admin === undefined) {
      const id = request.operator ?? 'owner';
      return { actor: { kind: 'operator', id }, roles: ['owner'], breakGlass: false };
    }
    const { principal, key } = this.#signerOf(request);
    const actor = { kind: 'user', id: principal } as const;
    const { fingerprint } = key;
    const forEmergencies = admin.breakGlass.accounts.includes(principal);
    // Before anything is written of it.
    const wait = shares.spend(principal);
    if (wait > 0) throw new ShareSpent({ actor, fingerprint, roles: [], breakGlass: forEmergencies }, wait);
    await this.#onlyOnce(request, principal, forEmergencies);
    if (forEmergencies) {
      const open = breakGlass.sealOf(fingerprint) === 'open';
      return { actor, fingerprint, roles: open ? ['break-glass'] : [], breakGlass: true };
    }
    const roles = ROLES.filter((role) => admin.roles[role]?.includes(principal));
    return { actor, fingerprint, roles, breakGlass: false };
  }

  /** Throws AdminRefusal unless `caller` may use `route`. */
  admit(caller: Caller, route: string): void {
    const { roles, breakGlass, fingerprint = '' } = caller;
    if (route === OPEN_BREAK_GLASS) {
      if (!breakGlass) throw new AdminRefusal('role-missing', caller);
      if (this.#options.breakGlass.sealOf(fingerprint) === 'sealed') return;
      throw new AdminRefusal('break-glass-spent', caller);
    }
    if (roles.includes('owner') || roles.includes('break-glass')) return;
    if (breakGlass)
      throw new AdminRefusal(
        `break-glass-${this.#options.breakGlass.sealOf(fingerprint) === 'sealed' ? 'sealed' : 'spent'}`,
        caller,
      );
    const permitted: readonly string[] = ROUTES[route] ?? [];
    if (roles.some((role) => permitted.includes(role))) return;
    throw new AdminRefusal('role-missing', caller, `; it takes ${permitted.join(' or ')}`);
  }

  #signerOf({ signature, at, nonce, method, target, body }: AskedRequest): Signer {
    const { gateway, signers, now } = this.#options;
    if (signature === undefined || at === undefined || nonce === undefined)
      throw new AdminRefusal('signature-missing');
    let signer: Signer | undefined;
    let fingerprint: string;
    try {
      const read = readSshSignature(
        `-----BEGIN SSH SIGNATURE-----\n${signature}\n-----END SSH SIGNATURE-----`,
      );
      fingerprint = read.key.fingerprint;
      const text = textToSign({ gateway, method, target, body, at, nonce });
      if (read.namespace !== ADMIN_NAMESPACE || !read.covers(Buffer.from(text)))
        throw new AdminRefusal('signature-invalid');
      signer = signers().find(
        (one) =>
          one.key.fingerprint === fingerprint && signsFor(one, ADMIN_NAMESPACE) && isValidAt(one, now()),
      );
    } catch (error) {
      if (error instanceof SshFormatError) throw new AdminRefusal('signature-invalid');
      throw error;
    }
    // Whose key it is nobody knows, but whoever asked has it.
    const stranger = { actor: { kind: 'user', id: fingerprint }, roles: [], breakGlass: false } as const;
    if (signer === undefined) throw new AdminRefusal('signer-unknown', stranger);
    // A time that is none is in no window.
    if (!(Math.abs(Date.parse(at) - now()) <= SKEW)) throw new AdminRefusal('signature-old');
    return signer;
  }

  /**
   * Of all gateways and workers that a request could be sent to again, one answers it; a supervisor may ask all of its
   * workers, once. An account for emergencies is there for when the state does not answer, too: then this process is
   * the one that remembers.
   */
  async #onlyOnce(
    { nonce = '', round }: AskedRequest,
    principal: string,
    forEmergencies: boolean,
  ): Promise<void> {
    const { gateway, store, supervised, now } = this.#options;
    const mine = (supervised ? round : undefined) ?? randomUUID();
    const name = hashSecret(`${gateway} ${principal} ${nonce}`);
    if (forEmergencies && this.#emergencies.admit(name, 1, 2 * SKEW) > 0)
      throw new AdminRefusal('signature-replayed');
    const expiresAt = now() + 2 * SKEW;
    let first: boolean;
    try {
      first = await store.update('adminRequest', name, (known) =>
        known === undefined || known.round === mine ? { value: { round: mine }, expiresAt } : undefined,
      );
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      if (forEmergencies) return;
      throw new AdminRefusal('state-unreachable');
    }
    if (!first) throw new AdminRefusal('signature-replayed');
  }
}
