// The issuing process's work: it opens the authorities it was told of, judges each wish by its own policy, and signs.
import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPrivate, readSecret } from '#gateway/state/private-files';
import { type CertificateAuthority, openAuthority, type RevokedCertificate } from './authority.ts';
import { AuthorityDirectory, ownPassphrase } from './authority-directory.ts';
import type { Constraints } from './certificate-writer.ts';
import type { ClientWish, Issued, PublicHalf } from './issued.ts';
import { IssuingPolicy, type IssuingRules } from './issuing-policy.ts';
import { RootShare, type SharedRoot } from './root-share.ts';
import type { KeyAccess, KeyPlace } from './signer/signer.ts';
import { SshAuthority, type SshAuthorityKey } from './ssh/authority.ts';
import { type SshApps, type SshIssued, SshIssuing, type SshWish } from './ssh/issuing.ts';
import type { SshTimes } from './ssh/schedule.ts';

export interface AuthoritySettings {
  readonly id: string;
  readonly directory: string;
  /** What it is called in certificates. */
  readonly name: string;
  readonly constraints?: Constraints | undefined;
  readonly rules: IssuingRules;
}

/** What the process is told when it starts. Secrets it reads by itself. */
export interface IssuerSettings {
  readonly authorities: readonly AuthoritySettings[];
  readonly keys: KeySettings;
  /** Left out where no app has SSH certificates. */
  readonly ssh?: SshSettings | undefined;
  /** The secret of the installation, where several gateways share a root. */
  readonly shared?: { readonly secret: string } | undefined;
}

export interface SshSettings {
  readonly directory: string;
  readonly apps: SshApps;
  /** Certificates a second. */
  readonly perSecond: number;
}

export interface KeySettings {
  readonly place: KeyPlace;
  /** A file; if left out, systemd's credential of that name, or a file beside the keys. */
  readonly passphrase?: string | undefined;
  readonly pkcs11?: { readonly module: string; readonly token: string; readonly pin: string } | undefined;
  readonly tpm?: string | undefined;
}

/** What everybody may know of how an authority stands. */
export interface Standing extends PublicHalf {
  readonly rootOnline: boolean;
  /** Where the key that issues is. */
  readonly place: KeyPlace;
}

/** What can be asked. Each member is one operation; all are answered with JSON. */
export interface IssuerOperations {
  adopt(wish: { authority: string; root: SharedRoot }): void;
  open(): Promise<Record<string, Standing>>;
  offer(wish: { authority: string }): Promise<SharedRoot>;
  server(wish: { authority: string; spki: string; names: readonly string[]; life: number }): Promise<Issued>;
  peer(wish: { authority: string; spki: string; uri: string; life: number }): Promise<Issued>;
  client(wish: ClientWish & { authority: string }): Promise<Issued>;
  crl(wish: { authority: string; revoked: readonly RevokedCertificate[] }): Promise<string>;
  rotate(wish: { authority: string }): Promise<Standing>;
  request(wish: { authority: string }): Promise<string>;
  install(wish: { authority: string; certificate: string }): Standing;
  upkeep(): Promise<Record<string, Standing>>;
  ssh(wish: SshWish): Promise<SshIssued>;
  sshKeys(): readonly SshAuthorityKey[];
  sshKeep(wish: SshTimes): Promise<void>;
}

interface Opened {
  readonly settings: AuthoritySettings;
  readonly authority: CertificateAuthority;
  readonly policy: IssuingPolicy;
}

interface OpenedSsh {
  readonly authority: SshAuthority;
  readonly issuing: SshIssuing;
}

const CREDENTIAL = 'sallyport-ca-passphrase';

export class IssuerService implements IssuerOperations {
  readonly #settings: IssuerSettings;
  readonly #now: () => number;
  readonly #opened = new Map<string, Opened>();
  #openedSsh: OpenedSsh | undefined;

  constructor(settings: IssuerSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Takes over the root that the installation has, before anything is opened. */
  adopt({ authority: id, root }: Parameters<IssuerOperations['adopt']>[0]): void {
    this.#share(id).adopt(root);
  }

  async open(): Promise<Record<string, Standing>> {
    const { authorities, keys } = this.#settings;
    for (const settings of authorities) {
      const { id, directory, name, constraints, rules } = settings;
      const authority = await openAuthority(directory, name, this.#now, {
        constraints,
        place: keys.place,
        access: accessOf(keys, directory),
      });
      const policy = new IssuingPolicy(rules, (one, shown) => authority.vouchesFor(one, shown), this.#now);
      this.#opened.set(id, { settings, authority, policy });
    }
    await this.#openSsh();
    return this.#standings();
  }

  offer({ authority }: { authority: string }): Promise<SharedRoot> {
    return this.#share(authority).offer();
  }

  server({ authority, spki, names, life }: Parameters<IssuerOperations['server']>[0]): Promise<Issued> {
    const { policy, authority: ca } = this.#get(authority);
    policy.server(names, life);
    return ca.signServer(keyOf(spki), names, life);
  }

  peer({ authority, spki, uri, life }: Parameters<IssuerOperations['peer']>[0]): Promise<Issued> {
    const { policy, authority: ca } = this.#get(authority);
    policy.peer(uri, life);
    return ca.signPeer(keyOf(spki), uri, life);
  }

  client({ authority, ...wish }: Parameters<IssuerOperations['client']>[0]): Promise<Issued> {
    const { policy, authority: ca } = this.#get(authority);
    policy.client(wish);
    return ca.issueClient(wish);
  }

  crl({ authority, revoked }: Parameters<IssuerOperations['crl']>[0]): Promise<string> {
    return this.#get(authority).authority.crls(revoked);
  }

  async rotate({ authority: id }: { authority: string }): Promise<Standing> {
    const { authority } = this.#get(id);
    await authority.rotate();
    return standingOf(authority);
  }

  request({ authority }: { authority: string }): Promise<string> {
    return this.#get(authority).authority.directory.requestIntermediate();
  }

  install({ authority: id, certificate }: Parameters<IssuerOperations['install']>[0]): Standing {
    const { authority } = this.#get(id);
    authority.directory.importIntermediate(certificate);
    authority.reload();
    return standingOf(authority);
  }

  /** Looks after the intermediates; how those stand that changed. */
  async upkeep(): Promise<Record<string, Standing>> {
    this.#openedSsh?.authority.tidy();
    const changed: Record<string, Standing> = {};
    for (const [id, { authority }] of this.#opened) {
      if (await authority.upkeep()) changed[id] = standingOf(authority);
    }
    return changed;
  }

  ssh(wish: SshWish): Promise<SshIssued> {
    const { authority, issuing } = this.#ssh;
    return issuing.issue(wish, authority.signer);
  }

  sshKeys(): readonly SshAuthorityKey[] {
    return this.#ssh.authority.keys;
  }

  async sshKeep(times: SshTimes): Promise<void> {
    await this.#ssh.authority.keep(times);
  }

  async #openSsh(): Promise<void> {
    const { ssh, keys } = this.#settings;
    if (ssh === undefined) return;
    const access = accessOf(keys, ssh.directory);
    this.#openedSsh = {
      authority: await SshAuthority.open(ssh.directory, { access, place: keys.place, now: this.#now }),
      issuing: new SshIssuing(ssh.apps, ssh.perSecond, this.#now),
    };
  }

  get #ssh(): OpenedSsh {
    if (this.#openedSsh === undefined) throw new Error('no app has SSH certificates');
    return this.#openedSsh;
  }

  #get(id: string): Opened {
    const opened = this.#opened.get(id);
    if (opened === undefined) throw new Error(`there is no authority ${JSON.stringify(id)}`);
    return opened;
  }

  #share(id: string): RootShare {
    const { authorities, shared, keys } = this.#settings;
    const settings = authorities.find((one) => one.id === id);
    if (settings === undefined || shared === undefined) throw new Error(`the root of ${id} is not shared`);
    const { directory, name } = settings;
    const access = accessOf(keys, directory);
    return new RootShare(
      new AuthorityDirectory(directory, name, { now: this.#now, access, place: keys.place }),
      access,
      readPrivate(shared.secret),
    );
  }

  #standings(): Record<string, Standing> {
    return Object.fromEntries([...this.#opened].map(([id, { authority }]) => [id, standingOf(authority)]));
  }
}

function standingOf(authority: CertificateAuthority): Standing {
  const { certificate, bundle, intermediates, directory, place } = authority;
  return { certificate, bundle, intermediates, rootOnline: directory.rootOnline, place };
}

function keyOf(spki: string): ReturnType<typeof createPublicKey> {
  return createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });
}

/** How keys are reached by these settings; undefined leaves it to the directory. */
export function accessOf({ passphrase, pkcs11, tpm }: KeySettings, directory: string): KeyAccess {
  const credential = join(process.env['CREDENTIALS_DIRECTORY'] ?? '/nonexistent', CREDENTIAL);
  const file = passphrase ?? (existsSync(credential) ? credential : undefined);
  return {
    passphrase: file === undefined ? ownPassphrase(directory) : () => readPrivate(file),
    pkcs11: pkcs11 && { ...pkcs11, pin: () => readSecret(pkcs11.pin) },
    tpm,
  };
}
