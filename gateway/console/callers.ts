// Who asks the admin API, and in which roles. Without `admin` in the configuration that is whoever may open the socket,
// and who owns the gateway's files thereby; with it, whoever signed the request with a listed key, and nobody else.
import { isValidAt, type Signer, signsFor } from '#gateway/change/allowed-signers';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { readSshSignature } from '#gateway/change/sshsig';
import type { Actor } from '#siem/event';
import type { BreakGlass } from './break-glass.ts';
import type { AdminConfig } from './config.ts';
import { OPEN_BREAK_GLASS, ROLES, ROUTES } from './roles.ts';
import { ADMIN_NAMESPACE, type SignedRequest, textToSign } from './signed-request.ts';

/** How far a request's time may be from ours, in milliseconds. */
const SKEW = 60_000;
/** Signatures remembered within that time. More in a minute are no person's. */
const MAX_REMEMBERED = 10_000;

const TEXTS = {
  'signature-missing': 'requests to this gateway are signed: set SALLYPORT_ADMIN_KEY to your SSH key',
  'signature-invalid': 'the signature is not of this request, or not made for admin requests',
  'signature-old': 'the request was signed more than a minute ago or ahead: compare the clocks',
  'signature-replayed': 'the same request was answered already',
  'signer-unknown': 'the key is not listed among the admins’, or not valid now',
  'role-missing': 'none of your roles may do that',
  'break-glass-sealed': 'the account is sealed: open it with `sallyport break-glass`',
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
}

export interface CallersOptions {
  readonly admin: AdminConfig | undefined;
  readonly gateway: string;
  /** The list as it is now. */
  signers(): readonly Signer[];
  readonly breakGlass: BreakGlass;
  readonly now: () => number;
}

export class Callers {
  readonly #options: CallersOptions;
  /** Nonces by the time at which they cannot come again. */
  readonly #seen = new Map<string, number>();

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** Throws AdminRefusal. */
  identify(request: AskedRequest): Caller {
    const { admin, breakGlass } = this.#options;
    if (admin === undefined) {
      const id = request.operator ?? 'owner';
      return { actor: { kind: 'operator', id }, roles: ['owner'], breakGlass: false };
    }
    const { principal, key } = this.#signerOf(request);
    const actor = { kind: 'user', id: principal } as const;
    const { fingerprint } = key;
    if (admin.breakGlass.accounts.includes(principal)) {
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
    this.#onlyOnce(at, `${signer.principal} ${nonce}`);
    return signer;
  }

  #onlyOnce(at: string, name: string): void {
    const time = this.#options.now();
    // A time that is none is in no window.
    if (!(Math.abs(Date.parse(at) - time) <= SKEW)) throw new AdminRefusal('signature-old');
    for (const [one, until] of this.#seen) {
      if (until >= time) break;
      this.#seen.delete(one);
    }
    if (this.#seen.has(name) || this.#seen.size >= MAX_REMEMBERED)
      throw new AdminRefusal('signature-replayed');
    this.#seen.set(name, time + 2 * SKEW);
  }
}
