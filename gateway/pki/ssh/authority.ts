// The keys that sign SSH certificates: one that signs, perhaps a next one that is published before it does, and those
// before while what they signed is good. Each file is named for the time from which its key signs.
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { requirePrivate } from '#gateway/state/private-files';
import { LEAF_LIFE, ownPassphrase } from '../authority-directory.ts';
import { AuthorityError } from '../ca-certificate.ts';
import { makeKey, openKey, readKey } from '../signer/key-file.ts';
import type { KeyAccess, KeyPlace } from '../signer/signer.ts';
import { type SshSigner, sshSigner } from './signing-key.ts';

const FILE = /^user-(\d{13})\.key$/;

/** A key that sshd has to trust. */
export interface SshAuthorityKey {
  /** The public key, base64. */
  readonly blob: string;
  /** Epoch milliseconds. */
  readonly signsFrom: number;
  readonly place: KeyPlace;
}

export interface SshAuthorityOptions {
  readonly access?: KeyAccess | undefined;
  /** Where new keys are made. */
  readonly place?: KeyPlace | undefined;
  readonly now: () => number;
}

interface Held {
  readonly file: string;
  readonly signsFrom: number;
  readonly signer: SshSigner;
  readonly place: KeyPlace;
}

export class SshAuthority {
  readonly #directory: string;
  readonly #options: SshAuthorityOptions;
  readonly #access: KeyAccess;
  #keys: readonly Held[] = [];

  private constructor(directory: string, options: SshAuthorityOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#access = options.access ?? { passphrase: ownPassphrase(directory) };
  }

  /** Makes the first key where there is none. Rejects with SignerError; throws LooseModeError. */
  static async open(directory: string, options: SshAuthorityOptions): Promise<SshAuthority> {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const file of ['.', ...globSync('{*.key,passphrase}', { cwd: directory })])
      requirePrivate(join(directory, file));
    const authority = new SshAuthority(directory, options);
    authority.#read();
    authority.tidy();
    if (authority.#keys.length === 0) await authority.#make(options.now());
    return authority;
  }

  /** Those to be trusted, the oldest first. */
  get keys(): readonly SshAuthorityKey[] {
    return this.#keys.map(({ signer, signsFrom, place }) => ({
      ...{ blob: signer.blob.toString('base64'), signsFrom, place },
    }));
  }

  /** The key that signs now. */
  get signer(): SshSigner {
    const now = this.#options.now();
    // The clock was set back: better the oldest key, which is trusted, than none.
    const current = this.#keys.findLast(({ signsFrom }) => signsFrom <= now) ?? this.#keys[0];
    if (current === undefined) throw new Error('there is no key for SSH certificates');
    return current.signer;
  }

  /** Makes the next key; it signs `lead` milliseconds from now. Rejects with AuthorityError while one waits already. */
  async rotate(lead: number): Promise<void> {
    const { now } = this.#options;
    const waiting = this.#keys.find(({ signsFrom }) => signsFrom > now());
    if (waiting === undefined) return this.#make(now() + lead);
    const from = new Date(waiting.signsFrom).toISOString();
    throw new AuthorityError('key-waiting', `the next key is published already, and signs from ${from}`);
  }

  /** Makes a key that signs at once, and destroys all others: whoever has one of them can sign with it for ever. */
  async replace(): Promise<void> {
    const before = this.#keys;
    await this.#make(this.#options.now());
    this.#remove(before);
  }

  /** Destroys keys that signed nothing that can still be good. True if there were any. */
  tidy(): boolean {
    const { now } = this.#options;
    const over = this.#keys.filter((_, index) => {
      const next = this.#keys[index + 1];
      return next !== undefined && next.signsFrom + LEAF_LIFE < now();
    });
    this.#remove(over);
    return over.length > 0;
  }

  #remove(keys: readonly Held[]): void {
    for (const { file } of keys) rmSync(join(this.#directory, file), { force: true });
    this.#keys = this.#keys.filter((key) => !keys.includes(key));
  }

  async #make(signsFrom: number): Promise<void> {
    const file = join(this.#directory, `user-${String(Math.floor(signsFrom)).padStart(13, '0')}.key`);
    await makeKey(file, this.#options.place ?? 'file', this.#access);
    this.#read();
  }

  #read(): void {
    const known = new Map(this.#keys.map((key) => [key.file, key]));
    this.#keys = globSync('user-*.key', { cwd: this.#directory })
      .filter((file) => FILE.test(file))
      .sort()
      .map((file) => {
        const path = join(this.#directory, file);
        const signsFrom = Number(FILE.exec(file)?.[1]);
        return (
          known.get(file) ?? {
            ...{ file, signsFrom, place: readKey(path).kind },
            signer: sshSigner(openKey(path, this.#access)),
          }
        );
      });
  }
}
