// A certificate that the operator keeps in files: taken up anew when it changes, without a connection being lost, and
// warned of before it ends.
import { X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type Server } from 'node:tls';
import type { Log } from '#siem/log';
import { certificateFromFiles, type ServerCertificate } from './server-certificate.ts';

const DAY = 86_400_000;
/** Days before its end at which a certificate is warned of, each once. */
const WARNINGS: readonly number[] = [30, 7, 1];
/** How often files and clock are looked at, in milliseconds. */
const CHECK_INTERVAL = 10_000;

/** The certificate cannot be shown to anybody. `message` says what to do. */
class CertificateError extends Error {
  readonly code: 'certificate-expired' | 'certificate-unreadable';
  constructor(code: CertificateError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export interface Expiring {
  /** Epoch milliseconds. */
  readonly notAfter: number;
  /** The warning's: 30, 7 or 1. */
  readonly days: number;
}

export interface FileCertificateOptions {
  readonly files: { readonly certificate: string; readonly key: string };
  /** Hosts that clients ask for. */
  readonly hosts: readonly string[];
  readonly log: Log;
  readonly now: () => number;
  readonly onExpiring: (expiring: Expiring) => void;
}

export class FileCertificate {
  readonly #options: FileCertificateOptions;
  #warned = Number.POSITIVE_INFINITY;
  #changed: string;
  current: ServerCertificate & { readonly notAfter: number };

  /** Throws CertificateError. */
  constructor(options: FileCertificateOptions) {
    this.#options = options;
    this.#changed = this.#stamp();
    this.current = this.#read();
    this.#compare();
  }

  /** Keeps `server` showing what is in the files. Stop it with clearInterval. */
  follow(server: Server, settings: SecureContextOptions): NodeJS.Timeout {
    this.check();
    return setInterval(() => this.check(server, settings), CHECK_INTERVAL).unref();
  }

  /** Takes up a changed certificate if it is good, and warns of one that will end. */
  check(server?: Server, settings: SecureContextOptions = {}): void {
    const { log, files } = this.#options;
    try {
      const stamp = this.#stamp();
      if (stamp !== this.#changed) {
        const fresh = this.#read();
        server?.setSecureContext({ ...settings, cert: fresh.cert, key: fresh.key });
        this.#changed = stamp;
        this.current = fresh;
        this.#warned = Number.POSITIVE_INFINITY;
        log.info({ certificate: files.certificate }, 'the certificate was renewed');
        this.#compare();
      }
    } catch (error) {
      log.error({ err: error }, 'the changed certificate is not used; the one before it stays');
    }
    this.#warn(this.#options.now());
  }

  /** Warns as it will when the end comes near; the days of each warning that was given. For drills. */
  rehearse(): readonly number[] {
    const before = this.#warned;
    this.#warned = Number.POSITIVE_INFINITY;
    const days = WARNINGS.map((one) => this.#warn(this.current.notAfter - one * DAY));
    this.#warned = before;
    return days.filter((one) => one !== undefined);
  }

  /** Why what is in the files at this moment could not be taken up; undefined if it could. */
  unusable(): string | undefined {
    try {
      this.#read();
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** The days of the warning that was due at `now`. */
  #warn(now: number): number | undefined {
    const { notAfter } = this.current;
    const left = (notAfter - now) / DAY;
    const days = WARNINGS.findLast((one) => left <= one);
    if (days === undefined || days >= this.#warned) return undefined;
    this.#warned = days;
    this.#options.onExpiring({ notAfter, days });
    return days;
  }

  /** A host that is missing is no reason not to serve the others. */
  #compare(): void {
    const { files, hosts, log } = this.#options;
    const certificate = new X509Certificate(this.current.cert);
    const unnamed = hosts.filter((host) => certificate.checkHost(host, { subject: 'never' }) === undefined);
    if (unnamed.length === 0) return;
    const message = `the certificate does not name ${unnamed.join(', ')}: clients refuse it there`;
    log.warn({ certificate: files.certificate }, message);
  }

  #stamp(): string {
    const { certificate, key } = this.#options.files;
    const found = [certificate, key].map((file) => ({ file, stats: statSync(file) }));
    // A pipe would keep the whole gateway waiting for its writer.
    const irregular = found.find(({ stats }) => !stats.isFile())?.file;
    if (irregular !== undefined)
      throw new CertificateError('certificate-unreadable', `${irregular} is no regular file`);
    return found.map(({ stats }) => stats.mtimeMs).join(' ');
  }

  #read(): ServerCertificate & { readonly notAfter: number } {
    const { files, now } = this.#options;
    this.#stamp();
    const read = certificateFromFiles(files);
    let notAfter: number;
    try {
      createSecureContext(read);
      notAfter = Date.parse(new X509Certificate(read.cert).validTo);
    } catch (cause) {
      const message = `${files.certificate} and ${files.key} are no certificate and its key: ${(cause as Error).message}`;
      throw new CertificateError('certificate-unreadable', message, { cause });
    }
    if (notAfter <= now()) {
      const message = `${files.certificate} has expired on ${new Date(notAfter).toISOString()}: renew it`;
      throw new CertificateError('certificate-expired', message);
    }
    return { ...read, notAfter };
  }
}
