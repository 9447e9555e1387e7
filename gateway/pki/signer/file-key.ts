// A key in a file, sealed with a passphrase: scrypt (RFC 7914) and AES-256-GCM, bound to its public half.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scryptSync,
  sign,
} from 'node:crypto';
import { type KeyAccess, type KeyRecord, type Signer, SignerError } from './signer.ts';

/** About 100 ms and 32 MiB for one guess (OWASP, Password Storage Cheat Sheet). */
const COST = { N: 2 ** 15, r: 8, p: 1 } as const;
const MAX_MEMORY = 64 * 1024 * 1024;
const TAG = 16;
/** Shorter passphrases can be guessed whatever the cost of one guess. */
const LEAST_PASSPHRASE = 12;

export function makeFileKey(access: KeyAccess): KeyRecord {
  return sealKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, access);
}

/** Throws SignerError for a passphrase that is too short. */
export function sealKey(key: KeyObject, access: KeyAccess): KeyRecord {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keyOf(passphraseOf(access), salt), nonce).setAAD(
    Buffer.from(spki),
  );
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const sealed = Buffer.concat([cipher.update(pkcs8), cipher.final(), cipher.getAuthTag()]);
  const text = (bytes: Buffer): string => bytes.toString('base64');
  return { kind: 'file', public: spki, salt: text(salt), nonce: text(nonce), sealed: text(sealed) };
}

/** Throws SignerError. */
export function openFileKey(record: KeyRecord, access: KeyAccess, name: string): Signer {
  const key = unsealKey(record, access, name);
  return {
    place: 'file',
    publicKey: createPublicKey(key),
    sign: async (data) => sign('sha256', data, key),
  };
}

/** Throws SignerError. */
export function unsealKey(record: KeyRecord, access: KeyAccess, name: string): KeyObject {
  const bytes = (field: string): Buffer => Buffer.from(String(record[field] ?? ''), 'base64');
  const sealed = bytes('sealed');
  const key = keyOf(passphraseOf(access), bytes('salt'));
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes('nonce'), { authTagLength: TAG })
      .setAAD(Buffer.from(record.public))
      .setAuthTag(sealed.subarray(-TAG));
    const der = Buffer.concat([decipher.update(sealed.subarray(0, -TAG)), decipher.final()]);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch (cause) {
    const message = `${name} does not open: it was sealed with another passphrase, or was changed`;
    throw new SignerError('key-locked', message, { cause });
  }
}

function passphraseOf(access: KeyAccess): string {
  const passphrase = access.passphrase();
  if (passphrase.length >= LEAST_PASSPHRASE) return passphrase;
  const message = `the passphrase has ${passphrase.length} characters, at least ${LEAST_PASSPHRASE} are needed: openssl rand -base64 32`;
  throw new SignerError('key-locked', message);
}

function keyOf(passphrase: string, salt: Buffer): Buffer {
  return scryptSync(passphrase, salt, 32, { ...COST, maxmem: MAX_MEMORY });
}
