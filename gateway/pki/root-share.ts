// How the gateways of an installation come to one root: its key goes from one issuing process to the other through the
// shared state, sealed there and opened here, so that no process that serves requests ever has it.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { StateError } from '#gateway/state/error';
import { writeWhole } from '#gateway/state/private-files';
import { Seal } from '#gateway/state/seal';
import type { AuthorityDirectory } from './authority-directory.ts';
import { sealKey, unsealKey } from './signer/file-key.ts';
import { readKey, writeKey } from './signer/key-file.ts';
import type { KeyAccess } from './signer/signer.ts';

/** A root as the shared state has it. */
export interface SharedRoot {
  readonly certificate: string;
  /** Sealed; undefined for a root that is kept offline, or in a place that keeps its keys. */
  readonly key?: string | undefined;
}

export class RootShare {
  readonly #directory: AuthorityDirectory;
  readonly #access: KeyAccess;
  readonly #seal: Seal;

  /** `secret`: the installation's. Throws StateError for a short one. */
  constructor(directory: AuthorityDirectory, access: KeyAccess, secret: string) {
    this.#directory = directory;
    this.#access = access;
    this.#seal = new Seal(secret);
  }

  /** This gateway's root for the others, made if it has none. */
  async offer(): Promise<SharedRoot> {
    await this.#directory.prepareRoot();
    const { root, rootOnline } = this.#directory;
    const record = rootOnline ? readKey(this.#directory.at('root.key')) : undefined;
    if (record?.kind !== 'file') return { certificate: root.pem };
    const pkcs8 = unsealKey(record, this.#access, 'root.key').export({ type: 'pkcs8', format: 'pem' });
    return { certificate: root.pem, key: this.#seal.close(root.node.fingerprint256, pkcs8.toString()) };
  }

  /** Makes the installation's root this gateway's. Throws StateError when this one has issued below another root. */
  adopt({ certificate, key }: SharedRoot): void {
    const directory = this.#directory;
    const file = directory.at('ca.pem');
    if (existsSync(file) && readFileSync(file, 'utf8') === certificate) return;
    if (directory.intermediates.length > 0) {
      const message = `${file} is the root of another installation than the one in Redis. To join that one, move ${directory.path} away; connectors that enrolled here must then enrol again.`;
      throw new StateError('state-conflict', message);
    }
    directory.setBeforeAside();
    if (key === undefined) rmSync(directory.at('root.key'), { force: true });
    else {
      const { fingerprint256 } = new X509Certificate(certificate);
      const opened = createPrivateKey(this.#seal.open(fingerprint256, key));
      writeKey(directory.at('root.key'), sealKey(opened, this.#access));
    }
    writeWhole(file, certificate, 0o644);
  }
}
