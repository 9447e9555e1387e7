// An authority's directory: the root, the intermediates that issue below it, and where their keys are. A root may be
// kept elsewhere: then its certificate alone is here, and intermediates come and go as files.
//
//   ca.pem            the root, which everybody trusts           root.key   its key, unless that is kept offline
//   issuing-ID.pem    an intermediate; the youngest one issues   issuing-ID.key   its key
//   pending.key       the key of an intermediate that was asked for and has not come
//   ca-before.pem     the one CA of earlier versions, for clients that know nothing else
//   passphrase        opens keys in files, unless it is configured to be elsewhere
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pem } from '#connectors/wire/der-writer';
import type { Certificate } from '#gateway/attest/certificate';
import { readPrivate, requirePrivate, writeWhole } from '#gateway/state/private-files';
import type { CaCertificate, Intermediate } from './ca-certificate.ts';
import { AuthorityError, caOf, casOf, readCa } from './ca-certificate.ts';
import {
  BACKDATE,
  type Constraints,
  keyIdOf,
  nameOf,
  newSerial,
  writeIntermediate,
  writeRequest,
  writeRoot,
} from './certificate-writer.ts';
import { sealKey } from './signer/file-key.ts';
import { makeKey, openKey, writeKey } from './signer/key-file.ts';
import type { KeyAccess, KeyPlace, Signer } from './signer/signer.ts';
import type { SigningRequest } from './signing-request.ts';

const DAY = 86_400_000;
const ROOT_LIFE = 3650 * DAY;
/** No intermediate lives longer, in milliseconds. */
export const INTERMEDIATE_LIFE: number = 90 * DAY;
/** No leaf lives longer, in milliseconds: for so long the key of an intermediate before is kept, to sign its CRL. */
export const LEAF_LIFE: number = DAY;

export interface DirectoryOptions {
  readonly now: () => number;
  readonly access?: KeyAccess | undefined;
  /** Where new keys are made. */
  readonly place?: KeyPlace | undefined;
  readonly constraints?: Constraints | undefined;
}

export class AuthorityDirectory {
  readonly path: string;
  readonly #name: string;
  readonly #options: DirectoryOptions;
  readonly #access: KeyAccess;
  readonly #open = new Map<string, Signer>();

  /** `name`: what the authority is called in certificates. Throws LooseModeError. */
  constructor(path: string, name: string, options: DirectoryOptions) {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const file of ['.', ...globSync('{*.key,passphrase}', { cwd: path })])
      requirePrivate(join(path, file));
    this.path = path;
    this.#name = name;
    this.#options = options;
    this.#access = options.access ?? { passphrase: ownPassphrase(path) };
  }

  get root(): CaCertificate {
    const file = this.at('ca.pem');
    if (existsSync(file)) return readCa(file);
    throw new AuthorityError('root-missing', `${file} is missing: there is no authority here`);
  }

  get rootOnline(): boolean {
    return existsSync(this.at('root.key'));
  }

  /** PEM of the one CA of earlier versions; empty where there was none. */
  get before(): string {
    return existsSync(this.at('ca-before.pem')) ? readFileSync(this.at('ca-before.pem'), 'utf8') : '';
  }

  /** The youngest first. Those whose key is gone only help to verify what they issued. */
  get intermediates(): readonly Intermediate[] {
    return (
      globSync('issuing-*.pem', { cwd: this.path })
        .map((file) => {
          const keyFile = this.at(file.replace(/\.pem$/, '.key'));
          const id = file.slice('issuing-'.length, -'.pem'.length);
          const writtenAt = statSync(this.at(file)).mtimeMs;
          return {
            ...readCa(this.at(file)),
            id,
            writtenAt,
            keyFile: existsSync(keyFile) ? keyFile : undefined,
          };
        })
        // Certificates know whole seconds only, files know better.
        .sort((a, b) => b.parsed.notBefore - a.parsed.notBefore || b.writtenAt - a.writtenAt)
    );
  }

  at(file: string): string {
    return join(this.path, file);
  }

  /** Of an intermediate it stays open: to open it takes its time, and each certificate needs it. */
  openKey(file: string): Signer {
    const open = this.#open.get(file);
    if (open !== undefined) return open;
    const signer = openKey(file, this.#access);
    if (file.startsWith(this.at('issuing-'))) this.#open.set(file, signer);
    return signer;
  }

  /** Makes what is missing, as far as the root is here: a fresh start, or what an earlier version left. */
  async complete(): Promise<void> {
    await this.prepareRoot();
    if (existsSync(this.at('ca.key'))) await this.#migrate();
    const usable = this.intermediates.some(
      ({ keyFile, parsed }) => keyFile !== undefined && this.#lives(parsed),
    );
    if (!usable) await this.makeIntermediate();
  }

  /** Makes the root if there is none. The CA of earlier versions is none: it may have no CA below it. */
  async prepareRoot(): Promise<void> {
    this.setBeforeAside();
    if (!existsSync(this.at('ca.pem')) || readFileSync(this.at('ca.pem'), 'utf8') === this.before) {
      await this.makeRoot();
    }
  }

  setBeforeAside(): void {
    if (!existsSync(this.at('ca.key')) || this.before !== '') return;
    writeWhole(this.at('ca-before.pem'), readFileSync(this.at('ca.pem'), 'utf8'), 0o644);
  }

  async makeRoot(): Promise<void> {
    const { now, place = 'file' } = this.#options;
    const signer = await makeKey(this.at('root.key'), place, this.#access);
    const subject = nameOf(`${this.#name} root`, true);
    const body = { serial: newSerial(), subject, publicKey: signer.publicKey, ...span(now(), ROOT_LIFE) };
    // The certificate goes last: its presence says that the key is there whole.
    writeWhole(this.at('ca.pem'), pem('CERTIFICATE', await writeRoot(body, signer)), 0o644);
  }

  /** A new intermediate with a new key. Throws AuthorityError `root-offline`. */
  async makeIntermediate(): Promise<void> {
    this.#requireRoot();
    const signer = await makeKey(this.at('pending.key'), this.#options.place ?? 'file', this.#access);
    await this.#certify(signer, this.#issuingName(signer));
  }

  /** The youngest intermediate's key, certified anew. Throws AuthorityError `root-offline`. */
  async renewIntermediate(): Promise<void> {
    const youngest = this.intermediates.find(({ keyFile }) => keyFile !== undefined);
    if (youngest?.keyFile === undefined) return this.makeIntermediate();
    await this.#certify(this.openKey(youngest.keyFile), youngest.parsed.subject);
  }

  /** PKCS#10 in PEM for a root that is elsewhere. The key waits here; asking again asks with the same one. */
  async requestIntermediate(): Promise<string> {
    const file = this.at('pending.key');
    const signer = existsSync(file)
      ? this.openKey(file)
      : await makeKey(file, this.#options.place ?? 'file', this.#access);
    return pem('CERTIFICATE REQUEST', await writeRequest(this.#issuingName(signer), signer));
  }

  /** What the root answers to a request, in PEM. Throws AuthorityError `root-offline`. */
  async signIntermediate(
    { subject, publicKey }: SigningRequest,
    constraints: Constraints | undefined,
  ): Promise<string> {
    this.#requireRoot();
    const root = this.openKey(this.at('root.key'));
    const body = { serial: newSerial(), subject, publicKey, ...this.#intermediateSpan() };
    const issuer = { subject: this.root.parsed.subject, signer: root };
    return pem('CERTIFICATE', await writeIntermediate(body, issuer, constraints));
  }

  /**
   * Takes up an intermediate that an offline root signed, of those in `text` the one for the key that waits here. `root`:
   * its certificate, where this directory has none yet.
   * Throws AuthorityError.
   */
  importIntermediate(text: string, root?: string): void {
    const unfit = (why: string): AuthorityError =>
      new AuthorityError('intermediate-unfit', `the intermediate cannot be used: ${why}`);
    const given = casOf(text, 'the intermediate');
    const anchor = root !== undefined && !existsSync(this.at('ca.pem')) ? caOf(root, 'the root') : this.root;
    if (root !== undefined && !caOf(root, 'the root').node.raw.equals(anchor.node.raw)) {
      throw unfit('it is of another root than the one in ca.pem');
    }
    if (!existsSync(this.at('pending.key'))) {
      throw unfit('nothing was asked for here; run `sallyport ca intermediate csr` first');
    }
    const signer = this.openKey(this.at('pending.key'));
    const found = given.find(({ node: { publicKey } }) => publicKey.equals(signer.publicKey));
    if (found === undefined) throw unfit('it is for another key than the one that waits here');
    const { node, parsed } = found;
    if (!node.checkIssued(anchor.node) || !node.verify(anchor.node.publicKey)) {
      throw unfit('the root in ca.pem did not sign it');
    }
    if (parsed.basicConstraints?.ca !== true || parsed.basicConstraints.pathLength !== 0) {
      throw unfit('it is no CA certificate with pathLen 0');
    }
    if (!this.#lives(parsed)) throw unfit('it has expired, or is not valid yet: compare the clocks');
    if (!existsSync(this.at('ca.pem'))) writeWhole(this.at('ca.pem'), anchor.pem, 0o644);
    this.#install(signer, node.raw);
  }

  /** Forgets what no longer matters: keys that issue no more, intermediates that ended, the CA of earlier versions. */
  tidy(): void {
    const { now } = this.#options;
    const [current, ...earlier] = this.intermediates.filter(({ parsed }) => this.#lives(parsed));
    for (const { id, keyFile } of earlier) {
      const over = current !== undefined && current.parsed.notBefore + BACKDATE + LEAF_LIFE < now();
      if (over && keyFile !== undefined) this.#removeKey(keyFile);
      if (over && keyFile !== undefined && id === this.#beforeId()) rmSync(this.at('ca-before.pem'));
    }
    for (const { id, parsed, keyFile } of this.intermediates) {
      if (parsed.notAfter > now()) continue;
      if (keyFile !== undefined) this.#removeKey(keyFile);
      rmSync(this.at(`issuing-${id}.pem`), { force: true });
    }
  }

  #removeKey(file: string): void {
    rmSync(file, { force: true });
    this.#open.delete(file);
  }

  /** The CA of earlier versions signed connectors and servers itself. Its key becomes the first intermediate's. */
  async #migrate(): Promise<void> {
    const key = createPrivateKey(readPrivate(this.at('ca.key')));
    writeKey(this.at('pending.key'), sealKey(key, this.#access));
    await this.#certify(
      this.openKey(this.at('pending.key')),
      readCa(this.at('ca-before.pem')).parsed.subject,
    );
    rmSync(this.at('ca.key'));
  }

  async #certify(signer: Signer, subject: Buffer): Promise<void> {
    const request = { subject, publicKey: signer.publicKey };
    const text = await this.signIntermediate(request, this.#options.constraints);
    this.#install(signer, new X509Certificate(text).raw);
  }

  /** The key first: the certificate's presence says that it is there. */
  #install(signer: Signer, der: Buffer): void {
    const id = keyIdOf(signer.publicKey).toString('hex');
    if (!existsSync(this.at(`issuing-${id}.key`))) {
      renameSync(this.at('pending.key'), this.at(`issuing-${id}.key`));
    }
    writeWhole(this.at(`issuing-${id}.pem`), pem('CERTIFICATE', der), 0o644);
  }

  #issuingName(signer: Signer): Buffer {
    return nameOf(`${this.#name} issuing ${keyIdOf(signer.publicKey).toString('hex').slice(0, 8)}`, true);
  }

  #intermediateSpan(): { notBefore: number; notAfter: number } {
    const { notBefore, notAfter } = span(this.#options.now(), INTERMEDIATE_LIFE);
    return { notBefore, notAfter: Math.min(notAfter, this.root.parsed.notAfter) };
  }

  #beforeId(): string | undefined {
    return this.before === ''
      ? undefined
      : keyIdOf(new X509Certificate(this.before).publicKey).toString('hex');
  }

  #lives({ notBefore, notAfter }: Certificate): boolean {
    const now = this.#options.now();
    return notBefore <= now && now < notAfter;
  }

  #requireRoot(): void {
    if (this.rootOnline) return;
    const message = `the root of ${this.path} is kept elsewhere: run \`sallyport ca intermediate csr\`, have the root sign it with \`sallyport ca intermediate sign\`, and bring it back with \`sallyport ca intermediate import\``;
    throw new AuthorityError('root-offline', message);
  }
}

/** Made once, beside the keys: whoever moves it away has keys at rest that open nowhere. */
export function ownPassphrase(directory: string): () => string {
  const file = join(directory, 'passphrase');
  return () => {
    if (!existsSync(file)) writeWhole(file, `${randomBytes(32).toString('base64url')}\n`);
    return readPrivate(file);
  };
}

/** `life` counts from a little before now. */
function span(now: number, life: number): { notBefore: number; notAfter: number } {
  return { notBefore: now - BACKDATE, notAfter: now - BACKDATE + life };
}
