// PKCS#10 requests (RFC 2986), read without believing them: of what one says, its key counts, and its subject where a CA asks.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { DER, DerReader, smallInteger, wholeElement } from '#gateway/attest/der';
import { parseSigned, type Signed, verifySigned } from '#gateway/attest/signed';
import { IssueError } from './issued.ts';

/** A CSR larger than this is not parsed at all; a P-256 request is about 450 bytes. */
const CSR_LIMIT = 8192;
/** Java's keytool says NEW. */
const PEM =
  /-----BEGIN (NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END \1CERTIFICATE REQUEST-----/g;
/** What a request may wish for besides: extensions, a challenge. Nobody grants any of it. */
const ATTRIBUTES = 0xa0;
/** What a P-256 key begins with in the form of RFC 5480: the curve by its name, and a point that is not compressed. */
const P256 = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

export interface SigningRequest {
  /** DER. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
}

/** A request, in PEM, that proves to have its key's private half. Throws IssueError. */
export function readRequest(csr: string): SigningRequest {
  if (csr.length > CSR_LIMIT) {
    throw new IssueError('bad-csr', `the certificate request is over ${CSR_LIMIT} bytes`);
  }
  const { signed, subject, key } = readAs('PKCS#10 PEM', () => parse(csr));
  if (!key.subarray(0, P256.length).equals(P256)) {
    throw new IssueError('bad-csr', 'the certificate request must carry an ECDSA P-256 key');
  }
  const publicKey = readAs('a key', () => createPublicKey({ key, format: 'der', type: 'spki' }));
  if (!isSigned(signed, publicKey)) {
    throw new IssueError('bad-csr', 'the certificate request is not signed by the key it carries');
  }
  return { subject, publicKey };
}

interface Parsed {
  readonly signed: Signed;
  readonly subject: Buffer;
  /** SubjectPublicKeyInfo. */
  readonly key: Buffer;
}

/** Throws DerError and Error. */
function parse(csr: string): Parsed {
  const [block, another] = csr.matchAll(PEM);
  if (block === undefined || another !== undefined) throw new Error('not one block');
  const signed = parseSigned(Buffer.from(block[2] ?? '', 'base64'));
  const body = new DerReader(wholeElement(signed.body, DER.SEQUENCE).content);
  if (smallInteger(body.next(DER.INTEGER)) !== 0) throw new Error('not version 1');
  const subject = body.next(DER.SEQUENCE).raw;
  const key = body.next(DER.SEQUENCE).raw;
  body.optional(ATTRIBUTES);
  body.end();
  return { signed, subject, key };
}

function readAs<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new IssueError('bad-csr', `the certificate request cannot be read as ${what}`, { cause });
  }
}

function isSigned(signed: Signed, key: KeyObject): boolean {
  try {
    return verifySigned(signed, key) === 'valid';
  } catch {
    return false; // By an algorithm that cannot be read.
  }
}
