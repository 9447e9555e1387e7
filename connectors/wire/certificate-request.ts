// Writes a request for a certificate (PKCS#10, RFC 2986): a key and the proof of having it. Authorities of ours take nothing
// else from one, so there is nothing else in it.
import { bits, context, identifier, integer, sequence } from './der-writer.ts';

const ECDSA_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'));
const NOBODY = sequence();

/**
 * DER. `spki`: SubjectPublicKeyInfo of an EC key; `sign`: the DER signature of some data with SHA-256 and that key;
 * `subject`: DER of a name.
 */
export async function certificateRequest(
  spki: Uint8Array,
  sign: (data: Uint8Array) => Promise<Buffer> | Buffer,
  subject: Uint8Array = NOBODY,
): Promise<Buffer> {
  const body = sequence(integer(0), subject, spki, context(0, Buffer.alloc(0), true));
  return sequence(body, ECDSA_SHA256, bits(await sign(body)));
}
