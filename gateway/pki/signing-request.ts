// PKCS#10 requests, read without believing them: of what one says, its key counts, and its subject where a CA asks.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { IssueError } from './issued.ts';

/** A CSR larger than this is not parsed at all; a P-256 request is about 450 bytes. */
const CSR_LIMIT = 8192;

export interface SigningRequest {
  /** DER. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
}

/** A request that proves to have its key's private half. Throws IssueError. */
export async function readRequest(csr: string): Promise<SigningRequest> {
  if (csr.length > CSR_LIMIT) {
    throw new IssueError('bad-csr', `the certificate request is over ${CSR_LIMIT} bytes`);
  }
  let request: Pkcs10CertificateRequest;
  let algorithm: { name?: string; namedCurve?: string };
  try {
    request = new Pkcs10CertificateRequest(csr);
    // Read only now, and it may be what is broken.
    algorithm = request.publicKey.algorithm;
  } catch (cause) {
    throw new IssueError('bad-csr', 'the certificate request cannot be read as PKCS#10 PEM', { cause });
  }
  if (algorithm.name !== 'ECDSA' || algorithm.namedCurve !== 'P-256') {
    throw new IssueError('bad-csr', 'the certificate request must carry an ECDSA P-256 key');
  }
  if (!(await request.verify().catch(() => false))) {
    throw new IssueError('bad-csr', 'the certificate request is not signed by the key it carries');
  }
  const key = Buffer.from(request.publicKey.rawData);
  return {
    subject: Buffer.from(request.subjectName.toArrayBuffer()),
    publicKey: createPublicKey({ key, format: 'der', type: 'spki' }),
  };
}
