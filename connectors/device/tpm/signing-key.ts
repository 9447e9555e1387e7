// Signing keys on P-256 that live in a TPM: how their public half and their signatures read outside of it, and keys of
// this machine that are no attester's, below the storage key.
import { createHash } from 'node:crypto';
import { createBelow, withKey, withStorageKey, withTpm } from './keys.ts';
import { Reader } from './marshal.ts';
import { SESSION_KEY_TEMPLATE } from './templates.ts';
import type { Tpm, TpmKey } from './tpm.ts';

/** SubjectPublicKeyInfo of an uncompressed point on P-256, up to the point (RFC 5480). */
const SPKI_P256 = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');

/** A new key of the TPM at `address`. @throws {TpmError} */
export function makeMachineKey(address: string): Promise<TpmKey> {
  return withTpm(address, (tpm) =>
    withStorageKey(tpm, (parent) => createBelow(tpm, parent, SESSION_KEY_TEMPLATE)),
  );
}

/** r and s of an ECDSA signature with SHA-256, each of 32 bytes. @throws {TpmError} */
export function signWithMachineKey(address: string, key: TpmKey, data: Uint8Array): Promise<Buffer> {
  return withTpm(address, (tpm) =>
    withStorageKey(tpm, (parent) => withKey(tpm, parent, key, (handle) => ecdsa(tpm, handle, data))),
  );
}

/** With a key that is loaded: r and s, each filled to 32 bytes, as JWS ES256 wants it (RFC 7518, 3.4). */
export async function ecdsa(tpm: Tpm, handle: number, data: Uint8Array): Promise<Buffer> {
  const signature = new Reader(await tpm.sign(handle, createHash('sha256').update(data).digest()));
  signature.take(2 + 2);
  return Buffer.concat([filled(signature.sized()), filled(signature.sized())]);
}

/** The public key as a JWK, members in the order of RFC 7638. */
export function jwkOf(publicArea: Buffer): { crv: 'P-256'; kty: 'EC'; x: string; y: string } {
  const { x, y } = pointOf(publicArea);
  return { crv: 'P-256', kty: 'EC', x: x.toString('base64url'), y: y.toString('base64url') };
}

export function spkiOf(publicArea: Buffer): Buffer {
  const { x, y } = pointOf(publicArea);
  return Buffer.concat([SPKI_P256, x, y]);
}

/** Of a key made from one of our own signing templates. */
function pointOf(publicArea: Buffer): { x: Buffer; y: Buffer } {
  const reader = new Reader(publicArea);
  reader.take(2 + 2 + 4);
  reader.sized();
  reader.take(2 + 2 + 2 + 2 + 2);
  return { x: filled(reader.sized()), y: filled(reader.sized()) };
}

/** A TPM leaves out leading zeros. */
function filled(number: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(Math.max(0, 32 - number.length)), number]);
}
