// The certificate this connector shows an app over TLS, which somebody else keeps in two files: taken up anew when they
// change. A pair that does not fit is never used; the one before it stays.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Log } from '../wire/log.ts';

/** How often the files are looked at, in milliseconds. */
const CHECK_INTERVAL = 5_000;

export interface ClientCertificate {
  /** PEM, the leaf first. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** SHA-256 of the leaf's DER in base64url (RFC 8705 `x5t#S256`). */
  readonly thumbprint: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Certificate and key are none, or not of each other. The message names the files. */
export class ClientCertificateError extends Error {
  readonly code = 'client-certificate';
}

/** @throws {ClientCertificateError} */
export function clientCertificate(cert: string, key: string, source: string): ClientCertificate {
  let leaf: X509Certificate;
  let fits: boolean;
  try {
    leaf = new X509Certificate(cert);
    fits = leaf.checkPrivateKey(createPrivateKey(key));
    // Also what stands behind the leaf: a chain of which half is written is read as good up to there.
    if (fits) createSecureContext({ cert, key });
  } catch (cause) {
    const message = `${source}: no certificate and its key in PEM (${(cause as Error).message})`;
    throw new ClientCertificateError(message, { cause });
  }
  if (!fits) throw new ClientCertificateError(`${source}: the key is not that of the certificate`);
  const thumbprint = createHash('sha256').update(leaf.raw).digest('base64url');
  return { cert, key, thumbprint, notAfter: Date.parse(leaf.validTo) };
}

/** @throws {ClientCertificateError} */
export function readClientCertificate({ certificate, key }: CertificateFiles): ClientCertificate {
  const source = `${certificate} and ${key}`;
  let read: readonly [string, string];
  try {
    read = [readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')];
  } catch (cause) {
    throw new ClientCertificateError(`${source}: ${(cause as Error).message}`, { cause });
  }
  return clientCertificate(...read, source);
}

export interface FollowOptions {
  readonly files: CertificateFiles;
  readonly log: Log;
  /** Epoch milliseconds. */
  readonly now: () => number;
  onChange(certificate: ClientCertificate): void;
}

/** Reads the files again when they change. */
export class FollowedFiles {
  readonly #options: FollowOptions;
  readonly #timer: NodeJS.Timeout;
  #stamp: string;
  readonly #complained = new Set<string>();
  current: ClientCertificate;

  /** @throws {ClientCertificateError} */
  constructor(options: FollowOptions) {
    this.#options = options;
    this.#stamp = stampOf(options.files);
    this.current = readClientCertificate(options.files);
    this.#timer = setInterval(() => this.check(), CHECK_INTERVAL).unref();
    this.#warn();
  }

  /** Takes up a changed pair if it is good. */
  check(): void {
    const { files, log, onChange } = this.#options;
    const stamp = stampOf(files);
    if (stamp !== this.#stamp) {
      try {
        const fresh = readClientCertificate(files);
        this.#stamp = stamp;
        // The same leaf may have come with its intermediates.
        if (fresh.cert !== this.current.cert) {
          this.current = fresh;
          this.#complained.clear();
          log.info({ certificate: files.certificate }, `${files.certificate} was renewed`);
          onChange(fresh);
        }
      } catch (error) {
        // A certificate is often written before its key: it is complained of once, and looked at again.
        this.#complain(`not taken up: ${(error as Error).message}; the certificate before it stays`);
      }
    }
    this.#warn();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #warn(): void {
    const { files, now } = this.#options;
    const { notAfter } = this.current;
    if (notAfter > now()) return;
    this.#complain(`${files.certificate} expired on ${new Date(notAfter).toISOString()}: renew it`);
  }

  #complain(message: string): void {
    if (this.#complained.has(message)) return;
    this.#complained.add(message);
    this.#options.log.warn({ certificate: this.#options.files.certificate }, message);
  }
}

function stampOf({ certificate, key }: CertificateFiles): string {
  return [certificate, key].map(writtenAt).join(' ');
}

/** What cannot be looked at says so when it is read. */
function writtenAt(file: string): number | string {
  try {
    return statSync(file).mtimeMs;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? '';
  }
}
