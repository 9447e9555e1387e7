// Asks the gateway for an SSH certificate: the person's public key goes out, the certificate comes back, and the private
// key stays where it is.
import type { Agent } from 'node:https';
import { SSH_CERTIFICATE_PATH } from '../wire/terminal.ts';
import { authorized, ConnectError, refusal } from './connect.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceState } from './key-store.ts';
import { postJson } from './transport.ts';

export interface CertificateWish {
  readonly app: string;
  /** A line of OpenSSH's: `ssh-ed25519 AAAA… ada@laptop`. */
  readonly key: string;
}

/** The certificate, a line without its comment. Throws ConnectError, TpmError. */
export async function askCertificate(
  wish: CertificateWish,
  credentials: Credentials,
  agent: Agent,
  device?: DeviceState,
): Promise<string> {
  const { portal } = credentials;
  const url = new URL(SSH_CERTIFICATE_PATH, portal);
  const headers = await authorized('POST', url.href, credentials, device);
  const { status, body } = await postJson(agent, url, wish, headers).catch((cause: Error) => {
    throw new ConnectError('gateway-unreachable', `${portal}: ${cause.message}`);
  });
  const { certificate } = (body ?? {}) as { certificate?: unknown };
  if (status === 201 && typeof certificate === 'string') return certificate;
  throw refusal(status, body, portal);
}
