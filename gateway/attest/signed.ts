// What X.509 signs (certificates and revocation lists): taken apart, and verified with algorithms that still hold.
import { constants, type KeyObject, verify } from 'node:crypto';
import { bitStringBytes, DER, DerReader, oid, wholeElement } from './der.ts';

export interface Signed {
  /** The inner structure, tag and length included: what the signature covers. */
  readonly body: Buffer;
  /** Whole AlgorithmIdentifier. */
  readonly algorithm: Buffer;
  readonly signature: Buffer;
}

/** Throws DerError. */
export function parseSigned(der: Buffer): Signed {
  const outer = new DerReader(wholeElement(der, DER.SEQUENCE).content);
  const body = outer.next(DER.SEQUENCE).raw;
  const algorithm = outer.next(DER.SEQUENCE).raw;
  const signature = bitStringBytes(outer.next(DER.BIT_STRING));
  outer.end();
  return { body, algorithm, signature };
}

const HASHES = new Map([
  [oid('2.16.840.1.101.3.4.2.1'), 'sha256'],
  [oid('2.16.840.1.101.3.4.2.2'), 'sha384'],
  [oid('2.16.840.1.101.3.4.2.3'), 'sha512'],
]);
const ALGORITHMS = new Map<string, { readonly hash: string; readonly type: 'rsa' | 'ec' }>([
  [oid('1.2.840.113549.1.1.11'), { hash: 'sha256', type: 'rsa' }],
  [oid('1.2.840.113549.1.1.12'), { hash: 'sha384', type: 'rsa' }],
  [oid('1.2.840.113549.1.1.13'), { hash: 'sha512', type: 'rsa' }],
  [oid('1.2.840.10045.4.3.2'), { hash: 'sha256', type: 'ec' }],
  [oid('1.2.840.10045.4.3.3'), { hash: 'sha384', type: 'ec' }],
  [oid('1.2.840.10045.4.3.4'), { hash: 'sha512', type: 'ec' }],
]);
const RSASSA_PSS = oid('1.2.840.113549.1.1.10');
const MIN_RSA_BITS = 2048;

/** `weak` for MD5, SHA-1, short keys and whatever is not known. */
export type SignatureVerdict = 'valid' | 'wrong' | 'weak';

/** Throws DerError for an algorithm that cannot be read. */
export function verifySigned({ body, algorithm, signature }: Signed, key: KeyObject): SignatureVerdict {
  const identifier = new DerReader(wholeElement(algorithm, DER.SEQUENCE).content);
  const name = identifier.next(DER.OID).content.toString('hex');
  const pss = name === RSASSA_PSS;
  const known = pss ? { hash: pssHash(identifier), type: 'rsa' as const } : ALGORITHMS.get(name);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS;
  if (known?.hash === undefined || bits < MIN_RSA_BITS) return 'weak';
  if (key.asymmetricKeyType !== known.type) return 'wrong';
  const padding = pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }
    : {};
  return verify(known.hash, body, { key, ...padding }, signature) ? 'valid' : 'wrong';
}

/** RSASSA-PSS-params (RFC 4055): without a hash it is SHA-1. */
function pssHash(identifier: DerReader): string | undefined {
  const explicit = identifier.enter(DER.SEQUENCE).optional(0xa0);
  if (explicit === undefined) return undefined;
  return HASHES.get(
    new DerReader(explicit.content).enter(DER.SEQUENCE).next(DER.OID).content.toString('hex'),
  );
}
