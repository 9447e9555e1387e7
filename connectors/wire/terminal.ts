// What a person's command line and the gateway must name and compute alike.
import { createHash } from 'node:crypto';

/** Subprotocol of a person's TCP connection through the gateway: see pipe.ts. */
export const CONNECT_SUBPROTOCOL = 'sallyport.tcp.v1';
/** On the portal's host: `/connect/<app id>` carries a TCP connection. */
export const CONNECT_PATH = '/connect/';
/** On the portal's host: where a person approves a command line, and where its code is redeemed. */
export const APPROVE_PATH = '/cli';
export const REDEEM_PATH = '/cli/token';
/** On the portal's host: gives SSH certificates. */
export const SSH_CERTIFICATE_PATH = '/ssh/certificate';

/** Six digits that both sides derive from the PKCE challenge, for the person to compare. */
export function numberOf(challenge: string): string {
  const value =
    createHash('sha256').update(`sallyport-cli ${challenge}`).digest().readUInt32BE(0) % 1_000_000;
  const digits = String(value).padStart(6, '0');
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
}
