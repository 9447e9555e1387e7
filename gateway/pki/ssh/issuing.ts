// What SSH certificates the issuing process writes, whatever the gateway beside it asks: for which apps, to which
// accounts, for how long. It was told so when it started.
import { randomBytes } from 'node:crypto';
import { Allowance, UsedPermissions } from '../allowance.ts';
import { IssueError } from '../issued.ts';
import { certificateType, OWN_ACCOUNT, writeSshCertificate } from './certificate.ts';
import type { SshConfig } from './config.ts';
import { readKey } from './public-key.ts';
import type { SshSigner } from './signing-key.ts';
import { fingerprintOf } from './signing-key.ts';

/** Clocks of sshd may be this far behind, in milliseconds. */
const BACKDATE = 60_000;
/** Decisions are used at once; they are remembered for this long, in milliseconds. */
const REMEMBERED = 48 * 3_600_000;
/** Characters of a person, a session or a decision in a key id. */
const LONGEST_NAME = 128;
const ACCOUNT = /^[a-z_][a-z0-9_.-]{0,30}$/;

/** Apps for which certificates are written, by their ids. */
export type SshApps = Readonly<Record<string, SshConfig>>;

export interface SshWish {
  readonly app: string;
  /** The public key's blob, base64. */
  readonly key: string;
  /** `email` only where it was verified. */
  readonly person: { readonly id: string; readonly email?: string | undefined };
  readonly session: string;
  /** Id of the decision that allows it, used up by one certificate. */
  readonly decision: string;
  /** When the session ends at the latest, epoch milliseconds. */
  readonly until: number;
}

export interface SshIssued {
  /** A line for the file beside the key: `ssh-ed25519-cert-v01@openssh.com AAAA…`. */
  readonly certificate: string;
  /** Decimal, as sshd logs it. */
  readonly serial: string;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Epoch milliseconds. */
  readonly validAfter: number;
  readonly validBefore: number;
  /** Fingerprint of the person's key. */
  readonly key: string;
  /** The authority's public key, base64. */
  readonly authority: string;
  readonly authorityFingerprint: string;
}

export class SshIssuing {
  readonly #apps: SshApps;
  readonly #now: () => number;
  readonly #allowance: Allowance;
  readonly #used: UsedPermissions;
  readonly #shared: ReadonlySet<string>;

  constructor(apps: SshApps, perSecond: number, now: () => number) {
    this.#apps = apps;
    this.#now = now;
    this.#allowance = new Allowance(perSecond, now);
    this.#used = new UsedPermissions(REMEMBERED, now);
    // Somebody whose address happens to begin like an account of others must not get into that.
    this.#shared = new Set(['root', ...Object.values(apps).flatMap(({ principals }) => principals)]);
  }

  /** Rejects with IssueError and SignerError. */
  async issue(wish: SshWish, signer: SshSigner): Promise<SshIssued> {
    const { app: id, person, session, decision, until } = wish;
    const app = Object.hasOwn(this.#apps, id) ? this.#apps[id] : undefined;
    if (app === undefined) throw refusal(`there are no SSH certificates for ${JSON.stringify(id)}`);
    const { type, blob, fingerprint } = readKey(Buffer.from(wish.key, 'base64'));
    const principals = this.#principals(app, person.email);
    const now = this.#now();
    const validBefore = Math.floor(Math.min(now + app.life, until) / 1000) * 1000;
    if (!(validBefore > now)) throw refusal('the session ends now');
    this.#allowance.take();
    this.#used.use(decision);
    const body = {
      ...{ key: blob, serial: randomBytes(8).readBigUInt64BE() | 1n, principals },
      keyId: `${printable(person.email || person.id)} session=${printable(session)} decision=${printable(decision)}`,
      validAfter: Math.floor((now - BACKDATE) / 1000),
      validBefore: validBefore / 1000,
      criticalOptions: {
        ...(app.command === undefined ? {} : { 'force-command': app.command }),
        ...(app.sources.length === 0 ? {} : { 'source-address': app.sources.join(',') }),
      },
      extensions: app.extensions,
    };
    const certificate = await writeSshCertificate(body, signer);
    return {
      ...{ serial: String(body.serial), keyId: body.keyId, principals, validBefore },
      ...{ certificate: `${certificateType(type)} ${certificate.toString('base64')}`, key: fingerprint },
      ...{ validAfter: body.validAfter * 1000, authority: signer.blob.toString('base64') },
      authorityFingerprint: fingerprintOf(signer.blob),
    };
  }

  #principals({ principals, domain }: SshConfig, email: string | undefined): readonly string[] {
    const own = this.#account(email, domain);
    const all = principals.flatMap((name) => (name === OWN_ACCOUNT ? (own ?? []) : name));
    if (all.length > 0) return [...new Set(all)];
    throw refusal(
      `no account is yours there: it takes a verified address of ${domain}, that names none of others`,
    );
  }

  #account(email: string | undefined, domain: string | undefined): string | undefined {
    if (email === undefined || domain === undefined) return undefined;
    const address = email.toLowerCase();
    const at = address.lastIndexOf('@');
    const name = address.slice(0, at);
    const theirs =
      at > 0 && address.slice(at + 1) === domain && ACCOUNT.test(name) && !this.#shared.has(name);
    return theirs ? name : undefined;
  }
}

/** As it can stand in a log between quotes, within 128 characters; what cannot is written like in a URL. */
function printable(text: string): string {
  let written = '';
  for (const byte of Buffer.from(text.slice(0, LONGEST_NAME))) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x25 && byte !== 0x5c;
    const next = plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`;
    if (written.length + next.length > LONGEST_NAME) break;
    written += next;
  }
  return written;
}

function refusal(message: string): IssueError {
  return new IssueError('not-permitted', message);
}
