// The authorities of a trust domain, from wherever they are published: PEM, or a SPIFFE bundle (SPIFFE Trust Domain and
// Bundle, section 4), in a file or at an https address. They change while we run: what cannot be read, or got, leaves
// those there were.
import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { readRegular } from '#gateway/regular-file';
import type { Log } from '#siem/log';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MAX_AUTHORITIES = 64;
/** Bytes of a file: as much as an address may answer. */
const MAX_FILE = 1 << 20;
/** How often a file is looked at; how long a bundle without a hint is good; bounds of hints. Milliseconds. */
const LOOK_INTERVAL = 10_000;
const NO_HINT = 300_000;
const SHORTEST_HINT = 30_000;
const LONGEST_HINT = 3_600_000;

export interface TrustBundle {
  /** DER of CA certificates. */
  readonly authorities: readonly Buffer[];
  /** Milliseconds after which to look again. */
  readonly refresh: number;
}

/** A bundle that cannot be used. `message` names where it is from. */
export class BundleError extends Error {
  readonly code = 'bundle-unreadable';
}

/** @throws {BundleError} */
export function readBundle(text: string, source: string): TrustBundle {
  const bundle = text.trimStart().startsWith('{') ? spiffeBundle(text, source) : pemBundle(text, source);
  const count = bundle.authorities.length;
  if (count > 0 && count <= MAX_AUTHORITIES) return bundle;
  throw new BundleError(
    `${source} holds ${count} certificates; expected 1 to ${MAX_AUTHORITIES} authorities`,
  );
}

function pemBundle(text: string, source: string): TrustBundle {
  return { authorities: (text.match(PEM) ?? []).map((pem) => der(pem, source)), refresh: NO_HINT };
}

/** A key set whose keys for X509-SVIDs have one certificate each; keys for other uses are passed over. */
function spiffeBundle(text: string, source: string): TrustBundle {
  let document: { keys?: unknown; spiffe_refresh_hint?: unknown };
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new BundleError(`${source} is neither PEM nor a SPIFFE bundle`, { cause });
  }
  const { keys, spiffe_refresh_hint: hint } = document;
  if (!Array.isArray(keys)) throw new BundleError(`${source} is no SPIFFE bundle: it has no "keys"`);
  const authorities = keys
    .filter((key) => key?.use === 'x509-svid')
    .map(({ x5c }) => {
      if (Array.isArray(x5c) && x5c.length === 1) return der(Buffer.from(String(x5c[0]), 'base64'), source);
      throw new BundleError(`${source}: a key for x509-svid has exactly one certificate (x5c)`);
    });
  const refresh = typeof hint === 'number' && hint > 0 ? hint * 1000 : NO_HINT;
  return { authorities, refresh: Math.min(LONGEST_HINT, Math.max(SHORTEST_HINT, refresh)) };
}

function der(certificate: string | Buffer, source: string): Buffer {
  try {
    return new X509Certificate(certificate).raw;
  } catch (cause) {
    throw new BundleError(`${source}: a certificate in it cannot be read`, { cause });
  }
}

export interface FollowBundleOptions {
  /** A file, or an https address. */
  readonly source: string;
  readonly log: Log;
  /** The text at the address. */
  readonly get: (url: string) => Promise<string>;
  /** Throws for what may not be in a bundle; then the one before stays. */
  onChange(authorities: readonly Buffer[]): void;
}

export class FollowedBundle {
  readonly #options: FollowBundleOptions;
  #timer: NodeJS.Timeout | undefined;
  #stamp = 0;
  #last = '';
  /** What was wrong with the file at the last look, and told. */
  #told = '';
  #stopped = false;

  /** Reads a file at once. @throws {BundleError} */
  constructor(options: FollowBundleOptions) {
    this.#options = options;
    const { source } = options;
    if (source.startsWith('https://')) {
      void this.#ask();
      return;
    }
    this.#read();
    this.#timer = setInterval(() => this.look(), LOOK_INTERVAL).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#timer);
  }

  /** Takes up a file that has changed. */
  look(): void {
    const { source, log } = this.#options;
    try {
      if (statSync(source).mtimeMs !== this.#stamp) this.#read();
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#told) {
        log.error({ err: error, bundle: source }, 'the changed bundle is not used; the one before it stays');
      }
      this.#told = message;
    }
  }

  #read(): void {
    const { source } = this.#options;
    try {
      const { mtimeMs } = statSync(source);
      const text = readRegular(source, MAX_FILE);
      if (text.length > MAX_FILE) throw new BundleError(`${source} is over ${MAX_FILE} bytes`);
      this.#take(text);
      // Only now: what could not be read is looked at again, though nothing but who may read it changes.
      this.#stamp = mtimeMs;
      this.#told = '';
    } catch (cause) {
      throw cause instanceof BundleError
        ? cause
        : new BundleError(`${source}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Asks the address, and again when its hint says so, or in half a minute if it failed. */
  async #ask(): Promise<void> {
    const { source, get, log } = this.#options;
    let pause = SHORTEST_HINT;
    try {
      pause = this.#take(await get(source));
    } catch (error) {
      log.warn({ err: error, bundle: source }, 'the bundle could not be got; what was known of it stays');
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#ask(), pause).unref();
  }

  #take(text: string): number {
    const { source, onChange } = this.#options;
    const { authorities, refresh } = readBundle(text, source);
    if (text !== this.#last && !this.#stopped) onChange(authorities);
    this.#last = text;
    return refresh;
  }
}
