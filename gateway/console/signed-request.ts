// The text that an admin's request is signed as. Both ends make it from what they sent or received, so that a
// signature is good for one request, to one gateway, once.
import { hash } from 'node:crypto';
import type { GatewayConfig } from '#gateway/config';
import { documentName } from '#gateway/workers/share';

/** `ssh-keygen -Y sign -n sallyport-admin` */
export const ADMIN_NAMESPACE = 'sallyport-admin';

export const SIGNATURE_HEADER = 'sallyport-signature';
export const SIGNED_AT_HEADER = 'sallyport-signed-at';
export const NONCE_HEADER = 'sallyport-nonce';
/** Who asks without a signature, by their own word. */
export const OPERATOR_HEADER = 'sallyport-operator';
/** Which of the requests that a supervisor passed on this is: the same for all workers that it asks. */
export const ROUND_HEADER = 'sallyport-round';

export interface SignedRequest {
  /** `<host of the portal>/<name>` */
  readonly gateway: string;
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly body: string;
  /** RFC 3339. */
  readonly at: string;
  readonly nonce: string;
}

export function textToSign({ gateway, method, target, body, at, nonce }: SignedRequest): string {
  const digest = hash('sha256', body, 'hex');
  return `sallyport-admin 1\n${gateway}\n${method} ${target}\nsha256 ${digest}\n${at}\n${nonce}\n`;
}

/** How requests name a gateway. */
export function gatewayName(config: Pick<GatewayConfig, 'portal' | 'name' | 'worker'>): string {
  return `${new URL(config.portal).hostname}/${documentName(config)}`;
}
