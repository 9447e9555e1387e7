// The files that say which TPM makers are trusted, read at start and again when one of them changes: lists of revoked
// certificates are renewed often. What cannot be used never replaces what can.
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Log } from '#siem/log';
import { EndorsementConfigError, Endorsements } from './endorsements.ts';

/** How often the files are looked at, in milliseconds. */
const LOOK_INTERVAL = 30_000;

/** Paths of PEM or DER files; a PEM file may hold several. */
export interface EndorsementPaths {
  readonly roots: readonly string[];
  readonly intermediates: readonly string[];
  readonly revocationLists: readonly string[];
}

export class EndorsementFiles {
  readonly #paths: EndorsementPaths;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #current: Endorsements;
  #seen: string;
  /** What was wrong at the last look, and told. */
  #told = '';

  /** Throws EndorsementConfigError, which names the file. */
  constructor(paths: EndorsementPaths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#seen = this.#state();
    this.#current = load(paths);
    this.#timer = setInterval(() => this.look(), LOOK_INTERVAL).unref();
  }

  get current(): Endorsements {
    return this.#current;
  }

  /** Reads the files again if one of them changed. */
  look(): void {
    try {
      const state = this.#state();
      if (state !== this.#seen) {
        this.#current = load(this.#paths);
        // Only now: what could not be read is looked at again, though nothing but who may read it changes.
        this.#seen = state;
        this.#log.info({}, 'the trusted TPM makers were read again');
      }
      this.#told = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#told)
        this.#log.error({ err: error }, 'the trusted TPM makers could not be read; those before stay');
      this.#told = message;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #state(): string {
    const { roots, intermediates, revocationLists } = this.#paths;
    return [...roots, ...intermediates, ...revocationLists]
      .map((path) => {
        const stat = statSync(path, { throwIfNoEntry: false });
        // A pipe would keep the whole gateway waiting for its writer.
        if (stat?.isFile() === false)
          throw new EndorsementConfigError(`attestation: ${path} is no regular file`);
        return stat === undefined ? '' : `${stat.mtimeMs}.${stat.size}.${stat.ino}`;
      })
      .join();
  }
}

function load({ roots, intermediates, revocationLists }: EndorsementPaths): Endorsements {
  return new Endorsements({
    roots: roots.flatMap((path) => contentOf(path, 'CERTIFICATE')),
    intermediates: intermediates.flatMap((path) => contentOf(path, 'CERTIFICATE')),
    revocationLists: revocationLists.flatMap((path) => contentOf(path, 'X509 CRL')),
  });
}

/** The DER structures of a file. */
function contentOf(path: string, label: 'CERTIFICATE' | 'X509 CRL'): Buffer[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new EndorsementConfigError(`attestation: ${path} cannot be read (${code})`, { cause });
  }
  const block = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`, 'g');
  const found = [...bytes.toString('latin1').matchAll(block)];
  const all = found.length === 0 ? [bytes] : found.map(([, base64 = '']) => Buffer.from(base64, 'base64'));
  if (label === 'CERTIFICATE') {
    try {
      for (const der of all) new X509Certificate(der);
    } catch (cause) {
      const message = `attestation: ${path} holds no certificate: give PEM or DER`;
      throw new EndorsementConfigError(message, { cause });
    }
  }
  return all;
}
