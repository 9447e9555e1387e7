// What the session key in the TPM signs: DPoP proofs for the command line (RFC 9449), and statements for browsers.
import { createHash, randomUUID } from 'node:crypto';
import { STATEMENT_TYPE } from '../wire/browser.ts';
import { signWithSessionKey } from './attester.ts';
import type { DeviceState } from './key-store.ts';
import { jwkOf } from './tpm/signing-key.ts';

export interface ProvenRequest {
  readonly method: string;
  /** Without query. */
  readonly url: string;
  readonly token: string;
}

/** The headers of a request that is bound to this device. `now`: epoch milliseconds. @throws {TpmError} */
export async function provenHeaders(
  device: DeviceState,
  { method, url, token }: ProvenRequest,
  now: number,
): Promise<{ authorization: string; dpop: string }> {
  const ath = createHash('sha256').update(token).digest('base64url');
  const claims = { jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now / 1000), ath };
  return { authorization: `DPoP ${token}`, dpop: await signed(device, 'dpop+jwt', claims) };
}

/** Tells the portal that the browser which brings this is on this machine. @throws {TpmError} */
export function browserStatement(device: DeviceState, challenge: string, now: number): Promise<string> {
  const claims = { aud: device.portal, nonce: challenge, iat: Math.floor(now / 1000) };
  return signed(device, STATEMENT_TYPE, claims);
}

async function signed(device: DeviceState, typ: string, claims: object): Promise<string> {
  const header = { typ, alg: 'ES256', jwk: jwkOf(device.keys.session.public) };
  const content = `${encoded(header)}.${encoded(claims)}`;
  const signature = await signWithSessionKey(device.tpm, device.keys, Buffer.from(content));
  return `${content}.${signature.toString('base64url')}`;
}

function encoded(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString('base64url');
}
