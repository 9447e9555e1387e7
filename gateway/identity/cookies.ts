// Our cookies: `__Host-`, Secure, HttpOnly. Values are 256-bit random and only their hashes are ever kept.
import { hash, randomBytes } from 'node:crypto';

/** The session's door on this host. */
export const SESSION_COOKIE = '__Host-sallyport';
/** Bind sign-ins under way to this browser. Lax: they must come back from the provider's redirect. */
const BROWSER_COOKIE = '__Host-sallyport-browser';
/** Seconds. */
const BROWSER_COOKIE_LIFE = 600;
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

/** The values of this browser's cookies for sign-ins under way. */
export function browserSecrets(header: string | undefined): readonly string[] {
  if (header === undefined || !header.includes(BROWSER_COOKIE)) return [];
  return header.split(';').flatMap((pair) => {
    const [name = '', value = ''] = pair.trim().split('=', 2);
    return name.startsWith(BROWSER_COOKIE) && VALUE.test(value) ? [value] : [];
  });
}

/**
 * The Set-Cookie line for one of them. Each has a name of its own: of tabs that begin at once, before there is any, the
 * last answer would take away what the others come back with.
 */
export function browserCookie(secret: string): string {
  return setCookie(`${BROWSER_COOKIE}-${hashSecret(secret).slice(0, 8)}`, secret, BROWSER_COOKIE_LIFE);
}

/** A Set-Cookie line. `maxAge` in seconds; 0 deletes. */
export function setCookie(name: string, value: string, maxAge: number): string {
  return `${name}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${maxAge}`;
}
