// A private certificate authority with its keys at hand: what the issuing process holds, and nothing else should. It
// signs only what its methods shape.
import type { KeyObject, X509Certificate as NodeCertificate } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { pem } from '#connectors/wire/der-writer';
import type { KeyOrigin } from '#policy/input';
import {
  AuthorityDirectory,
  type DirectoryOptions,
  INTERMEDIATE_LIFE,
  LEAF_LIFE,
} from './authority-directory.ts';
import { AuthorityError, type Intermediate } from './ca-certificate.ts';
import {
  type AltName,
  BACKDATE,
  constraintsOf,
  nameOf,
  newSerial,
  type RevokedSerial,
  writeCrl,
  writeLeaf,
} from './certificate-writer.ts';
import { type Authority, type ClientWish, freshKey, type Issued, type PublicHalf } from './issued.ts';
import type { KeyPlace, Signer } from './signer/signer.ts';
import { readRequest } from './signing-request.ts';
import { Vouching } from './vouching.ts';

export { type Authority, type Issued, IssueError } from './issued.ts';

/** How long a CRL may be relied on; a younger one is made long before. In milliseconds. */
const CRL_LIFE = 24 * 3_600_000;

export interface AuthorityOptions extends Omit<DirectoryOptions, 'now'> {
  readonly now?: never;
}

/** A revoked certificate as the store has it. */
export interface RevokedCertificate extends RevokedSerial {
  /** Key id of the intermediate that issued it, hex. */
  readonly issuer: string;
}

interface Leaf {
  readonly publicKey: KeyObject;
  readonly commonName: string;
  readonly names: readonly AltName[];
  readonly purpose: 'server' | 'client';
  readonly life: number;
  readonly key?: KeyOrigin | undefined;
}

export class CertificateAuthority implements Authority {
  readonly directory: AuthorityDirectory;
  readonly #options: AuthorityOptions;
  readonly #now: () => number;
  readonly #listeners: (() => void)[] = [];
  #issuing!: { readonly intermediate: Intermediate; readonly signer: Signer };
  #half!: PublicHalf;
  #vouching!: Vouching;

  private constructor(directory: AuthorityDirectory, now: () => number, options: AuthorityOptions) {
    this.directory = directory;
    this.#now = now;
    this.#options = options;
  }

  /** Makes what is missing. Throws AuthorityError, SignerError, LooseModeError. */
  static async open(
    path: string,
    name: string,
    now: () => number,
    options: AuthorityOptions,
  ): Promise<CertificateAuthority> {
    const directory = new AuthorityDirectory(path, name, { ...options, now });
    const authority = new CertificateAuthority(directory, now, options);
    await directory.prepareRoot();
    requireInForce(directory, now());
    await directory.complete();
    authority.reload();
    await authority.upkeep();
    return authority;
  }

  get certificate(): string {
    return this.#half.certificate;
  }

  get bundle(): string {
    return this.#half.bundle;
  }

  get intermediates(): readonly string[] {
    return this.#half.intermediates;
  }

  get fingerprint(): string {
    return this.#vouching.fingerprint;
  }

  get issuing(): Intermediate {
    return this.#issuing.intermediate;
  }

  /** Where the key that issues is. */
  get place(): KeyPlace {
    return this.#issuing.signer.place;
  }

  /** Takes up what is in the directory now. */
  reload(): void {
    const now = this.#now();
    const { directory } = this;
    const known = directory.intermediates.filter(({ parsed }) => parsed.notAfter > now);
    const intermediate = known.find(
      ({ keyFile, parsed }) => keyFile !== undefined && parsed.notBefore <= now,
    );
    if (intermediate?.keyFile === undefined) {
      throw new AuthorityError(
        'intermediate-missing',
        `${directory.path} has no intermediate that can issue: run \`sallyport ca intermediate csr\` (is this machine’s clock right?)`,
      );
    }
    this.#issuing = { intermediate, signer: directory.openKey(intermediate.keyFile) };
    const certificate = directory.root.pem;
    const others = known.filter((one) => one !== intermediate);
    this.#half = {
      certificate,
      bundle: certificate + directory.before,
      intermediates: [intermediate, ...others].map((one) => one.pem),
    };
    this.#vouching = new Vouching(this.#half);
    for (const listener of this.#listeners) listener();
  }

  /** Renews the intermediate when a third of its life is left, where the root is here. True if there was a change. */
  async upkeep(): Promise<boolean> {
    const { directory } = this;
    const { parsed } = this.issuing;
    // None lives longer than the root: another one would end no later.
    const last = parsed.notAfter >= directory.root.parsed.notAfter;
    const due = !last && this.#now() >= parsed.notAfter - INTERMEDIATE_LIFE / 3;
    const narrowed = this.#options.constraints;
    const misfit = narrowed !== undefined && parsed.nameConstraints?.equals(constraintsOf(narrowed)) !== true;
    const renew = directory.rootOnline && (due || misfit);
    // Clients of an earlier version know the key of its one CA alone: it changes when somebody says so.
    if (renew && (misfit || directory.before !== '')) await directory.renewIntermediate();
    else if (renew) await directory.makeIntermediate();
    directory.tidy();
    if (renew) this.reload();
    return renew;
  }

  /** A new intermediate with a new key; what the one before issued stays good. Throws AuthorityError. */
  async rotate(): Promise<void> {
    await this.directory.makeIntermediate();
    this.reload();
  }

  async issueServer(names: readonly string[], life: number): Promise<Issued & { readonly key: string }> {
    const { publicKey, pem: key } = freshKey();
    return { ...(await this.signServer(publicKey, names, life)), key };
  }

  signServer(publicKey: KeyObject, names: readonly string[], life: number): Promise<Issued> {
    const hosts = names.map((host) => ({ host }));
    // Where there is no DNS name beside it, openssl takes a common name with dots for one.
    const named = names.find((name) => isIP(name) === 0) ?? 'sallyport';
    return this.#issue({
      publicKey,
      commonName: named,
      names: hosts,
      purpose: 'server',
      life,
    });
  }

  async issuePeer(uri: string, life: number): Promise<Issued & { readonly key: string }> {
    const { publicKey, pem: key } = freshKey();
    return { ...(await this.signPeer(publicKey, uri, life)), key };
  }

  signPeer(publicKey: KeyObject, uri: string, life: number): Promise<Issued> {
    return this.#issue({ publicKey, commonName: lastOf(uri), names: [{ uri }], purpose: 'client', life });
  }

  /** From a PKCS#10 request: proof of possession is checked, everything else the request asks for is ignored. */
  async issueClient({ csr, uri, life, key }: ClientWish): Promise<Issued> {
    const { publicKey } = readRequest(csr);
    return this.#issue({
      publicKey,
      commonName: lastOf(uri),
      names: [{ uri }],
      purpose: 'client',
      life,
      key,
    });
  }

  vouchesFor(certificate: NodeCertificate, shown?: NodeCertificate): boolean {
    return this.#vouching.vouchesFor(certificate, this.#now(), shown);
  }

  vouchedFor(certificate: NodeCertificate): boolean {
    return this.#vouching.vouchesFor(certificate, Date.parse(certificate.validTo) - 1);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** One CRL for each CA whose key is here, in PEM. A root that is here lists none: it signs but our intermediates. */
  async crls(revoked: readonly RevokedCertificate[]): Promise<string> {
    const { directory } = this;
    const now = this.#now();
    const times = { number: now, thisUpdate: now - BACKDATE, nextUpdate: now + CRL_LIFE };
    const lists: string[] = [];
    for (const { id, keyFile, parsed } of directory.intermediates) {
      if (keyFile === undefined) continue;
      const issuer = { subject: parsed.subject, signer: directory.openKey(keyFile) };
      const own = revoked.filter((one) => one.issuer === id);
      lists.push(pem('X509 CRL', await writeCrl(issuer, own, times)));
    }
    if (directory.rootOnline) {
      const issuer = {
        subject: directory.root.parsed.subject,
        signer: directory.openKey(directory.at('root.key')),
      };
      lists.push(pem('X509 CRL', await writeCrl(issuer, [], times)));
    }
    return lists.join('');
  }

  async #issue({ publicKey, commonName, names, purpose, life, key = 'file' }: Leaf): Promise<Issued> {
    const now = this.#now();
    const { intermediate, signer } = this.#issuing;
    const serial = newSerial();
    const notBefore = now - BACKDATE;
    // A day is a day in all, also with what lies in the past.
    const whole = life <= LEAF_LIFE ? notBefore + LEAF_LIFE : Number.POSITIVE_INFINITY;
    const notAfter = Math.min(now + life, whole, intermediate.parsed.notAfter);
    const leaf = await writeLeaf(
      {
        ...{ serial, notBefore, notAfter, publicKey, names, purpose },
        subject: nameOf(commonName),
        key,
      },
      { subject: intermediate.parsed.subject, signer },
    );
    return {
      certificate: pem('CERTIFICATE', leaf) + intermediate.pem,
      serial: serial.toString('hex').toUpperCase(),
      notAfter: Math.floor(notAfter / 1000) * 1000,
      issuer: intermediate.id,
    };
  }
}

function lastOf(uri: string): string {
  return uri.slice(uri.lastIndexOf('/') + 1);
}

/** Below a root out of its time nothing is good to anybody, and what is made by a wrong clock stays. Throws AuthorityError. */
function requireInForce({ path, root }: AuthorityDirectory, now: number): void {
  const { notBefore, notAfter } = root.parsed;
  if (notBefore <= now && now < notAfter) return;
  const [from, to, clock] = [notBefore, notAfter, now].map((time) => new Date(time).toISOString());
  throw new AuthorityError(
    'root-unfit',
    `${join(path, 'ca.pem')} is good from ${from} to ${to}, and this machine’s clock says ${clock}: set the clock; if it is right, begin with another root (docs/pki.md)`,
  );
}

/** Opens the authority kept in `directory`, making it on first use. `name` is its common name. */
export function openAuthority(
  directory: string,
  name: string,
  now: () => number,
  options: AuthorityOptions = {},
): Promise<CertificateAuthority> {
  return CertificateAuthority.open(directory, name, now, options);
}
