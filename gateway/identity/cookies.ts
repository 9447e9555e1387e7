// Our cookies: `__Host-`, Secure, HttpOnly. Values are 256-bit random and only their hashes are ever kept.
import { hash, randomBytes } from 'node:crypto';

/** The session's door on this host. */
export const SESSION_COOKIE = '__Host-sallyport';
/** Binds a sign-in under way to this browser. Lax: it must come back from the provider's redirect. */
export const BROWSER_COOKIE = '__Host-sallyport-browser';

export const BROWSER_COOKIE_LIFE = 600;
const VALUE = /^[A-Za-z0-9_-]{43}$/;

export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** What is kept of a secret. Look-ups go by this hash, so their timing says nothing about the secret. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'base64url');
}

/** The value of one of our cookies, or undefined if absent, malformed or sent twice. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined || !header.includes(name)) return undefined;
  let found: string | undefined;
  for (const pair of header.split(';')) {
    const text = pair.trim();
    if (!text.startsWith(name) || text[name.length] !== '=') continue;
    const value = text.slice(name.length + 1);
    if (found !== undefined || !VALUE.test(value)) return undefined;
    found = value;
  }
  return found;
}

/** A Set-Cookie line. `maxAge` in seconds; 0 deletes. */
export function setCookie(name: string, value: string, maxAge: number): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${maxAge}`;
}
