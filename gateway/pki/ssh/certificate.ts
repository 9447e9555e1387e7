// OpenSSH's certificates of people (PROTOCOL.certkeys of OpenSSH): written, and read with their signature checked. One
// without principals would be good for every account, so none is ever written.
import { randomBytes } from 'node:crypto';
import { sshKey } from '#gateway/change/ssh-key';
import { SshFormatError, SshReader, sshString, sshUint32, sshUint64 } from '#gateway/change/ssh-reader';
import { KINDS } from './public-key.ts';
import type { SshSigner } from './signing-key.ts';

const USER = 1;
const HOST = 2;
const VERSION = '-cert-v01@openssh.com';
/** As many as sshd takes. */
const MAX_PRINCIPALS = 256;
const MAX_KEY_ID = 512;
/** sshd compares principals as they are; commas and white space divide them where they are written in files. */
export const PRINCIPAL: RegExp = /^[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,63}$/;
/** Among the principals of a configuration: the name of a person's own account. */
export const OWN_ACCOUNT = '{user}';
const KEY_ID = /^[\x21-\x7e][\x20-\x7e]*$/;

/** What a certificate says. */
export interface SshCertificateBody {
  /** The public key's blob. */
  readonly key: Buffer;
  readonly serial: bigint;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Epoch seconds. */
  readonly validAfter: number;
  readonly validBefore: number;
  /** By their names: `source-address`, `force-command`. sshd refuses what it does not know. */
  readonly criticalOptions: Readonly<Record<string, string>>;
  /** Names: `permit-pty`. sshd passes over what it does not know. */
  readonly extensions: readonly string[];
}

/** A certificate that was read: its signature is its authority's, whoever that is. */
export interface SshCertificate extends SshCertificateBody {
  readonly kind: 'user' | 'host';
  /** The authority's public key, as a blob. */
  readonly authority: Buffer;
}

/** The certificate's blob. Rejects with SignerError; throws RangeError for what must not be certified. */
export async function writeSshCertificate(body: SshCertificateBody, signer: SshSigner): Promise<Buffer> {
  const { key, serial, keyId, principals, validAfter, validBefore, criticalOptions, extensions } = body;
  if (principals.length === 0 || principals.length > MAX_PRINCIPALS)
    throw new RangeError(`a certificate has 1 to ${MAX_PRINCIPALS} principals`);
  const unfit = principals.find((principal) => !PRINCIPAL.test(principal));
  if (unfit !== undefined) throw new RangeError(`${JSON.stringify(unfit)} is no principal`);
  if (!KEY_ID.test(keyId) || keyId.length > MAX_KEY_ID) throw new RangeError('the key id cannot be logged');
  if (!(validAfter >= 0 && validBefore > validAfter)) throw new RangeError('the certificate is never valid');
  const reader = new SshReader(key);
  const type = reader.text();
  const signed = Buffer.concat([
    ...[sshString(certificateType(type)), sshString(randomBytes(32)), reader.rest()],
    ...[sshUint64(serial), sshUint32(USER), sshString(keyId), listOf(principals.map(sshString))],
    ...[sshUint64(BigInt(validAfter)), sshUint64(BigInt(validBefore))],
    // sshd wants both lists in the order of their names.
    listOf(
      Object.entries(criticalOptions)
        .sort(byName)
        .flatMap(([name, value]) => [sshString(name), sshString(sshString(value))]),
    ),
    listOf([...extensions].sort().flatMap((name) => [sshString(name), sshString('')])),
    ...[sshString(''), sshString(signer.blob)],
  ]);
  return Buffer.concat([signed, sshString(await signer.sign(signed))]);
}

/** Reads a certificate. Throws SshFormatError, also where the signature is not by the authority it names. */
export function readSshCertificate(blob: Buffer): SshCertificate {
  const reader = new SshReader(blob);
  const type = keyType(reader.text());
  reader.string();
  const parts = Array.from({ length: KINDS.get(type) ?? 0 }, () => reader.string());
  const key = Buffer.concat([sshString(type), ...parts.map(sshString)]);
  sshKey(key);
  const serial = reader.uint64();
  const kind = reader.uint32();
  if (kind !== USER && kind !== HOST) throw new SshFormatError(`certificates of kind ${kind} are not known`);
  const keyId = reader.string().toString('utf8');
  const principals = stringsOf(reader.string());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  const criticalOptions = optionsOf(reader.string());
  const extensions = optionsOf(reader.string());
  reader.string();
  const authority = reader.string();
  const signed = blob.subarray(0, blob.length - reader.rest().length);
  const last = new SshReader(blob.subarray(signed.length));
  const signature = last.string();
  last.end();
  if (!sshKey(authority).verifies(signed, signature))
    throw new SshFormatError('the certificate was not signed by the authority it names');
  return {
    ...{ key, serial, kind: kind === USER ? 'user' : 'host', keyId, principals, authority },
    ...{ validAfter: Number(validAfter), validBefore: Number(validBefore) },
    criticalOptions: Object.fromEntries(criticalOptions),
    extensions: extensions.map(([name]) => name),
  };
}

/** `ssh-ed25519-cert-v01@openssh.com` for a key of type `ssh-ed25519`. */
export function certificateType(type: string): string {
  return type.replace('@openssh.com', '') + VERSION;
}

function keyType(type: string): string {
  const found = [...KINDS.keys()].find((known) => certificateType(known) === type);
  if (found !== undefined) return found;
  throw new SshFormatError(`certificates of type ${JSON.stringify(type.slice(0, 64))} are not known here`);
}

function listOf(parts: readonly Buffer[]): Buffer {
  return sshString(Buffer.concat(parts));
}

function stringsOf(bytes: Buffer): string[] {
  const reader = new SshReader(bytes);
  const strings: string[] = [];
  while (!reader.done) strings.push(reader.string().toString('utf8'));
  return strings;
}

/** Names must be in order, and each once; a value is a string in a string, or nothing. */
function optionsOf(bytes: Buffer): (readonly [string, string])[] {
  const reader = new SshReader(bytes);
  const options: (readonly [string, string])[] = [];
  while (!reader.done) {
    const name = reader.text();
    const before = options.at(-1)?.[0];
    if (before !== undefined && before >= name)
      throw new SshFormatError('the options of a certificate are in the order of their names');
    const [value = ''] = stringsOf(reader.string());
    options.push([name, value]);
  }
  return options;
}

function byName([one]: readonly [string, string], [other]: readonly [string, string]): number {
  return one < other ? -1 : 1;
}
