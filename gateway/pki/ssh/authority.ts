// The keys that sign SSH certificates: one that signs, perhaps a next one that is published before it does, and those
// before while what they signed is good. Each file is named for the time from which its key signs; which times these are,
// the schedule says once there is one.
import { globSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { requirePrivate } from '#gateway/state/private-files';
import { LEAF_LIFE, ownPassphrase } from '../authority-directory.ts';
import { makeKey, openKey, readKey } from '../signer/key-file.ts';
import type { KeyAccess, KeyPlace } from '../signer/signer.ts';
import { due, type SshTimes } from './schedule.ts';
import { type SshSigner, sshSigner } from './signing-key.ts';

const FILE = /^user-(\d{13})\.key$/;
/** More milliseconds have no room in a name. */
const LATEST = 9_999_999_999_999;

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
    if (authority.#keys.length === 0) await authority.#make(Math.floor(options.now()));
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

  /** Makes the keys that are missing, and destroys those that were lost: whoever has one of them can sign for ever. */
  async keep(times: SshTimes): Promise<void> {
    const odd = times.from.find((time) => !(Number.isSafeInteger(time) && time >= 0 && time <= LATEST));
    if (odd !== undefined) throw new Error(`${JSON.stringify(odd)} is no time from which a key could sign`);
    const held = this.#keys.map(({ signsFrom }) => signsFrom);
    const { make, destroy } = due(times, held, this.#options.now());
    for (const time of make) await this.#make(time);
    this.#remove(this.#keys.filter(({ signsFrom }) => destroy.includes(signsFrom)));
    this.tidy();
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
    const file = join(this.#directory, `user-${String(signsFrom).padStart(13, '0')}.key`);
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
