// Signatures as `ssh-keygen -Y sign` and git make them (OpenSSH's PROTOCOL.sshsig): read, and checked.
// A signature says for what purpose it was made, its namespace; one for another purpose must never count.
import { hash } from 'node:crypto';
import { type SshKey, sshKey } from './ssh-key.ts';
import { SshFormatError, SshReader, sshString } from './ssh-reader.ts';

const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
const MAGIC = Buffer.from('SSHSIG');
const VERSION = 1;
const HASHES: ReadonlySet<string> = new Set(['sha256', 'sha512']);
/** Characters of the longest armour: an RSA key of 8192 bits and its signature take some 3,000. */
const MAX_ARMOUR = 8_192;

export interface SshSignature {
  readonly key: SshKey;
  readonly namespace: string;
  /** Whether it was made over `message`. Throws SshFormatError if it is no signature of its key's kind. */
  covers(message: Buffer): boolean;
}

/** Reads an armoured signature. Throws SshFormatError. */
export function readSshSignature(armour: string): SshSignature {
  if (armour.length > MAX_ARMOUR) throw new SshFormatError('a signature is longer than any key makes it');
  const lines = armour.trim().split(/\r?\n/);
  if (lines[0] !== BEGIN || lines.at(-1) !== END)
    throw new SshFormatError(`a signature stands between ${BEGIN} and ${END}`);
  const text = lines.slice(1, -1).join('');
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new SshFormatError('the signature is not base64');
  return signatureIn(bytes);
}

function signatureIn(bytes: Buffer): SshSignature {
  const reader = new SshReader(bytes);
  if (!reader.take(MAGIC.length).equals(MAGIC)) throw new SshFormatError('the signature lacks SSHSIG');
  const version = reader.uint32();
  if (version !== VERSION) throw new SshFormatError(`signatures of version ${version} are not known here`);
  const key = sshKey(reader.string());
  const namespace = reader.string();
  const reserved = reader.string();
  const algorithm = reader.text();
  const signature = reader.string();
  reader.end();
  if (namespace.length === 0) throw new SshFormatError('the signature has no namespace');
  if (!HASHES.has(algorithm)) throw new SshFormatError('the signature hashes with neither sha256 nor sha512');
  return {
    key,
    namespace: namespace.toString('utf8'),
    covers: (message) => {
      const digest = hash(algorithm, message, 'buffer');
      const signed = [namespace, reserved, algorithm, digest].map(sshString);
      return key.verifies(Buffer.concat([MAGIC, ...signed]), signature);
    },
  };
}
