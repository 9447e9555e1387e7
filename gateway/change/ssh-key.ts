// Public keys as SSH writes them (RFC 4253, 5656, 8332, 8709; PROTOCOL.u2f), and checking what they signed.
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { SshFormatError, SshReader, sshString } from './ssh-reader.ts';

export interface SshKey {
  readonly type: string;
  /** As `ssh-keygen -l` prints it: `SHA256:…`. */
  readonly fingerprint: string;
  /** Whether `signature`, an SSH signature blob, is one of this key over `data`. */
  verifies(data: Buffer, signature: Buffer): boolean;
}

type Check = (data: Buffer, signature: SshReader) => boolean;

/** NIST curves: JWK name, hash of their signatures, bytes of a coordinate. */
const CURVES: Readonly<Record<string, readonly [string, string, number]>> = {
  nistp256: ['P-256', 'sha256', 32],
  nistp384: ['P-384', 'sha384', 48],
  nistp521: ['P-521', 'sha512', 66],
};
const RSA_HASHES: Readonly<Record<string, string>> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' };
/** Bytes of the shortest and longest RSA modulus that is taken. */
const RSA_BYTES = { min: 256, max: 1024 } as const;
const USER_PRESENT = 0x01;

/** The key of a public key blob. Throws SshFormatError. */
export function sshKey(blob: Buffer): SshKey {
  const reader = new SshReader(blob);
  const type = reader.text();
  const check = checkOf(type, reader);
  reader.end();
  const fingerprint = `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}`;
  return {
    type,
    fingerprint,
    verifies: (data, signature) => {
      const parts = new SshReader(signature);
      const verdict = checked(check, data, parts);
      parts.end();
      return verdict;
    },
  };
}

/** OpenSSL throws at numbers that are no key's or no signature's. */
function checked(check: Check, data: Buffer, signature: SshReader): boolean {
  try {
    return check(data, signature);
  } catch (error) {
    if (error instanceof SshFormatError) throw error;
    throw new SshFormatError('the signature cannot be checked', { cause: error });
  }
}

function checkOf(type: string, reader: SshReader): Check {
  switch (type) {
    case 'ssh-ed25519':
      return named(type, ed25519(reader));
    case 'ecdsa-sha2-nistp256':
    case 'ecdsa-sha2-nistp384':
    case 'ecdsa-sha2-nistp521':
      return named(type, ecdsa(reader, type.slice('ecdsa-sha2-'.length)));
    case 'ssh-rsa':
      return rsa(reader);
    case 'sk-ssh-ed25519@openssh.com':
      return named(type, onToken(ed25519(reader), reader.string()));
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return named(type, onToken(ecdsa(reader, 'nistp256'), reader.string()));
    default:
      throw new SshFormatError(`keys of type ${JSON.stringify(type.slice(0, 64))} are not known here`);
  }
}

/** Signatures of all types but RSA bear the name of the key's type. */
function named(type: string, check: Check): Check {
  return (data, signature) => {
    if (signature.text() !== type) throw new SshFormatError('the signature is of another type than the key');
    return check(data, signature);
  };
}

function ed25519(reader: SshReader): Check {
  const point = reader.string();
  if (point.length !== 32) throw new SshFormatError('an Ed25519 key has 32 bytes');
  const key = jwk({ kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') });
  return (data, signature) => {
    const bytes = signature.string();
    if (bytes.length !== 64) throw new SshFormatError('an Ed25519 signature has 64 bytes');
    return verify(null, data, key, bytes);
  };
}

function ecdsa(reader: SshReader, curve: string): Check {
  const [crv, digest, size] = CURVES[curve] ?? ['', '', 0];
  if (reader.text() !== curve) throw new SshFormatError('the key is on another curve than its type says');
  const point = reader.string();
  if (point.length !== 1 + 2 * size || point[0] !== 4) throw new SshFormatError('the key is no point');
  const x = point.subarray(1, 1 + size).toString('base64url');
  const y = point.subarray(1 + size).toString('base64url');
  const key = jwk({ kty: 'EC', crv, x, y });
  return (data, signature) => {
    const pair = new SshReader(signature.string());
    const rs = Buffer.concat([pair.positive(size), pair.positive(size)]);
    pair.end();
    return verify(digest, data, { key, dsaEncoding: 'ieee-p1363' }, rs);
  };
}

function rsa(reader: SshReader): Check {
  const e = reader.positive(4);
  const n = reader.positive(RSA_BYTES.max);
  const modulus = digitsOf(n);
  if (modulus.length < RSA_BYTES.min) throw new SshFormatError('an RSA key has at least 2048 bits');
  const exponent = digitsOf(e);
  const key = jwk({ kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') });
  return (data, signature) => {
    // `ssh-rsa` as a signature's type means SHA-1.
    const digest = RSA_HASHES[signature.text()];
    if (digest === undefined) throw new SshFormatError('an RSA signature is rsa-sha2-256 or rsa-sha2-512');
    const bytes = signature.string();
    if (bytes.length > modulus.length) throw new SshFormatError('the signature is longer than the key');
    const padded = Buffer.concat([Buffer.alloc(modulus.length - bytes.length), bytes]);
    return verify(digest, data, key, padded);
  };
}

/** Without leading zeros. */
function digitsOf(number: Buffer): Buffer {
  const first = number.findIndex((byte) => byte !== 0);
  return first === -1 ? Buffer.alloc(0) : number.subarray(first);
}

/** Security keys sign their own words around the hash of the data. Somebody must have touched the key. */
function onToken(check: Check, application: Buffer): Check {
  return (data, signature) => {
    // The flags and the counter follow the signature proper.
    const proper = signature.string();
    const flags = signature.take(1);
    const counter = signature.take(4);
    if (((flags[0] ?? 0) & USER_PRESENT) === 0) return false;
    const signed = [digestOf(application), flags, counter, digestOf(data)];
    return check(Buffer.concat(signed), new SshReader(sshString(proper)));
  };
}

function digestOf(bytes: Buffer): Buffer {
  return hash('sha256', bytes, 'buffer');
}

function jwk(key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch (cause) {
    throw new SshFormatError('the key is none', { cause });
  }
}
