// A TPM key's public area (TPMT_PUBLIC): parsed strictly, with the Name that the TPM computes over it.
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { ALG, ATTRIBUTE, CURVE, type Hash, hashOf } from './algorithms.ts';
import { Reader } from './reader.ts';
import { AttestationRefusal } from './refusal.ts';
import { isRoca } from './roca.ts';

/** `hash` is absent where the scheme is NULL. */
export interface Scheme {
  readonly algorithm: number;
  readonly hash?: number;
}

export interface RsaPublic {
  readonly type: 'rsa';
  readonly modulus: Buffer;
}

export interface EccPublic {
  readonly type: 'ecc';
  readonly curve: 'P-256' | 'P-384';
  /** Left-padded to the size of the curve, as a TPM may leave leading zeros out. */
  readonly x: Buffer;
  readonly y: Buffer;
}

export interface PublicArea {
  readonly nameAlgorithm: Hash;
  /** nameAlg || H(public area as received) */
  readonly name: Buffer;
  readonly attributes: number;
  readonly policy: Buffer;
  /** Key bits of AES in CFB mode, for keys that protect others; 0 for none. */
  readonly symmetricBits: number;
  readonly scheme: Scheme;
  readonly unique: RsaPublic | EccPublic;
  readonly key: KeyObject;
}

const CURVES = new Map<number, { readonly name: EccPublic['curve']; readonly size: number }>([
  [CURVE.P256, { name: 'P-256', size: 32 }],
  [CURVE.P384, { name: 'P-384', size: 48 }],
]);

/** Public exponent 65537, as TPMs write their default. */
const DEFAULT_EXPONENT = 0;

/** Throws AttestationRefusal with a code beginning `key-`. */
export function parsePublicArea(bytes: Buffer): PublicArea {
  const reader = new Reader(bytes, 'key-truncated', 'key-trailing');
  const type = reader.u16();
  const nameAlg = reader.u16();
  const nameAlgorithm = hashOf(nameAlg);
  if (nameAlgorithm === undefined || (type !== ALG.RSA && type !== ALG.ECC)) {
    throw new AttestationRefusal('key-algorithm');
  }
  const attributes = reader.u32() | 0;
  if ((attributes & ATTRIBUTE.RESERVED) !== 0) throw new AttestationRefusal('key-reserved-bits');
  const policy = reader.sized();
  const symmetricBits = readSymmetric(reader);
  const scheme = readScheme(reader);
  const unique = type === ALG.RSA ? readRsa(reader) : readEcc(reader);
  reader.end();
  const name = Buffer.allocUnsafe(2 + nameAlgorithm.size);
  name.writeUInt16BE(nameAlg);
  hash(nameAlgorithm.name, bytes, 'buffer').copy(name, 2);
  return { nameAlgorithm, name, attributes, policy, symmetricBits, scheme, unique, key: keyOf(unique) };
}

/** TPMT_SYM_DEF_OBJECT */
function readSymmetric(reader: Reader): number {
  const algorithm = reader.u16();
  if (algorithm === ALG.NULL) return 0;
  const bits = reader.u16();
  const mode = reader.u16();
  if (algorithm !== ALG.AES || mode !== ALG.CFB || (bits !== 128 && bits !== 256)) {
    throw new AttestationRefusal('key-algorithm');
  }
  return bits;
}

/** TPMT_RSA_SCHEME, TPMT_ECC_SCHEME, TPMT_KDF_SCHEME: those known have a hash and nothing else. */
function readScheme(reader: Reader): Scheme {
  const algorithm = reader.u16();
  if (algorithm === ALG.NULL) return { algorithm };
  if (algorithm !== ALG.RSASSA && algorithm !== ALG.RSAPSS && algorithm !== ALG.ECDSA) {
    throw new AttestationRefusal('key-algorithm');
  }
  return { algorithm, hash: reader.u16() };
}

function readRsa(reader: Reader): RsaPublic {
  const bits = reader.u16();
  const exponent = reader.u32();
  const modulus = reader.sized();
  if (bits !== 2048) throw new AttestationRefusal('key-size');
  if (exponent !== DEFAULT_EXPONENT && exponent !== 65537) throw new AttestationRefusal('key-exponent');
  const [first = 0] = modulus;
  const last = modulus.at(-1) ?? 0;
  // An even modulus, or one with leading zeros, is no product of two primes of its size.
  if (modulus.length !== 256 || first < 0x80 || last % 2 === 0) throw new AttestationRefusal('key-size');
  if (isRoca(modulus)) throw new AttestationRefusal('key-roca');
  return { type: 'rsa', modulus };
}

function readEcc(reader: Reader): EccPublic {
  const curve = CURVES.get(reader.u16());
  const kdf = reader.u16();
  if (curve === undefined || kdf !== ALG.NULL) throw new AttestationRefusal('key-algorithm');
  const x = reader.sized();
  const y = reader.sized();
  if (x.length > curve.size || y.length > curve.size) throw new AttestationRefusal('key-size');
  return { type: 'ecc', curve: curve.name, x: leftPad(x, curve.size), y: leftPad(y, curve.size) };
}

function keyOf(unique: RsaPublic | EccPublic): KeyObject {
  const text = (bytes: Buffer): string => bytes.toString('base64url');
  if (unique.type === 'rsa') {
    return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n: text(unique.modulus), e: 'AQAB' } });
  }
  const { curve, x, y } = unique;
  try {
    // OpenSSL checks that the point is on the curve: with one that is not, ECDH would give the private key away.
    return createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: curve, x: text(x), y: text(y) } });
  } catch (cause) {
    throw new AttestationRefusal('key-off-curve', undefined, { cause });
  }
}

export function leftPad(bytes: Buffer, size: number): Buffer {
  return bytes.length === size ? bytes : Buffer.concat([Buffer.alloc(size - bytes.length), bytes]);
}

/**
 * The Qualified Name of a key: bound to its parent's, up to the hierarchy's handle (TPM 2.0 Part 1, "Qualified
 * Name").
 */
export function qualifiedName(parent: Buffer, key: PublicArea): Buffer {
  const digest = hash(key.nameAlgorithm.name, Buffer.concat([parent, key.name]), 'buffer');
  return Buffer.concat([key.name.subarray(0, 2), digest]);
}
