// Signed tokens (JWS compact serialisation, RFC 7515) as this gateway makes them: ES256 only.
import { type KeyObject, sign } from 'node:crypto';

/** `header` as `encode` gave it. */
export function signed(header: string, claims: object, key: KeyObject): string {
  const input = `${header}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

export function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
