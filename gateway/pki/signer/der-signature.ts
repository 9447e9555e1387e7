// The two numbers of an ECDSA signature in the form certificates have them (RFC 3279, section 2.2.3).
import { integer, sequence } from '../der-writer.ts';

/** `signature`: r and s, of the same length. */
export function derSignature(signature: Buffer): Buffer {
  const half = signature.length / 2;
  return sequence(integer(signature.subarray(0, half)), integer(signature.subarray(half)));
}
