// TPM signatures (TPMT_SIGNATURE): parsed strictly, and accepted only in the scheme that the key itself prescribes.
import { constants, type KeyObject, verify } from 'node:crypto';
import { ALG, hashOf } from './algorithms.ts';
import { leftPad, type PublicArea, type Scheme } from './public-area.ts';
import { Reader } from './reader.ts';
import { AttestationRefusal } from './refusal.ts';

/** A key that signs attestations, with what its own public area says about how. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly scheme: Scheme;
  /** Bytes of an RSA modulus or of a curve's numbers. */
  readonly size: number;
}

export function signingKey({ key, scheme, unique }: PublicArea): SigningKey {
  const size = unique.type === 'rsa' ? unique.modulus.length : unique.x.length;
  return { key, scheme, size };
}

/** Throws AttestationRefusal with a code beginning `signature-`. */
export function verifySignature(data: Buffer, signature: Buffer, { key, scheme, size }: SigningKey): void {
  const reader = new Reader(signature, 'signature-truncated', 'signature-trailing');
  const algorithm = reader.u16();
  if (algorithm !== scheme.algorithm) throw new AttestationRefusal('signature-scheme');
  const hashAlgorithm = reader.u16();
  const hash = hashOf(hashAlgorithm);
  if (hash === undefined) throw new AttestationRefusal('signature-hash');
  if (hashAlgorithm !== scheme.hash) throw new AttestationRefusal('signature-scheme');
  const ecc = algorithm === ALG.ECDSA;
  const raw = ecc ? readEcdsa(reader, size) : reader.sized();
  reader.end();
  const valid = ecc
    ? verify(hash.name, data, { key, dsaEncoding: 'ieee-p1363' }, raw)
    : verify(hash.name, data, { key, ...paddingOf(algorithm) }, raw);
  if (!valid) throw new AttestationRefusal('signature-wrong');
}

/** TPMs leave leading zeros of r and s out; Node wants both whole. */
function readEcdsa(reader: Reader, size: number): Buffer {
  const r = reader.sized();
  const s = reader.sized();
  if (r.length > size || s.length > size) throw new AttestationRefusal('signature-wrong');
  // OpenSSL refuses these too, but some verifiers took them for everybody's signature (CVE-2022-21449).
  if (r.every((byte) => byte === 0) || s.every((byte) => byte === 0)) {
    throw new AttestationRefusal('signature-zero');
  }
  return Buffer.concat([leftPad(r, size), leftPad(s, size)]);
}

/** PSS salts are as long as the hash or as the key allows, depending on the TPM: the length is read from it. */
function paddingOf(algorithm: number): { padding: number; saltLength?: number } {
  return algorithm === ALG.RSAPSS
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
    : { padding: constants.RSA_PKCS1_PADDING };
}
