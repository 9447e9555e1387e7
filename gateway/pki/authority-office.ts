// What administrators do with the authorities. Each thing asked for is in the transparency log before it is done.
import { X509Certificate } from 'node:crypto';
import type { Log } from '#siem/log';
import type { Actor, CertificateRef } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import { type ExpiringCa, expiring, expiringMakers } from './ca-expiry.ts';
import type { CertificateRevocations } from './certificate-revocations.ts';
import type { EnrolmentDesk, HeldCertificate } from './enrolment.ts';
import type { Issuer } from './issuer.ts';

/** How often the ends of certificates are looked at, in milliseconds. */
const CHECK_INTERVAL = 3_600_000;
const GATEWAY: Actor = { kind: 'gateway', id: 'gateway' };

export interface AuthorityOfficeParts {
  readonly issuer: Issuer;
  /** By their ids; revocation is of the first. */
  readonly authorities: readonly string[];
  /** DER certificates of the TPM makers' CAs that end by a time, epoch milliseconds. */
  readonly makersEndingBy: (time: number) => readonly Buffer[];
  readonly desk: EnrolmentDesk;
  readonly revocations: CertificateRevocations;
  readonly recorder: Recorder;
  readonly log: Log;
  readonly now: () => number;
}

/** How an authority stands, for people. */
export interface AuthorityReport {
  readonly id: string;
  readonly root: CertificateRef & { readonly online: boolean };
  readonly intermediate: Omit<CertificateRef, 'key'> & { readonly key: string };
  /** PEM. */
  readonly certificate: string;
  readonly intermediates: readonly string[];
  readonly warnings: readonly string[];
}

export class AuthorityOffice {
  readonly #parts: AuthorityOfficeParts;
  /** The last warning of each certificate, in days. */
  readonly #warned = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AuthorityOfficeParts) {
    this.#parts = parts;
    for (const id of parts.authorities) {
      parts.issuer.authority(id).onChange(() => {
        void this.#record(id, 'issuing', GATEWAY).catch((error: unknown) =>
          parts.log.error({ err: error }, 'a new intermediate was not recorded'),
        );
      });
    }
  }

  start(): void {
    void this.warn();
    this.#timer = setInterval(() => void this.warn(), CHECK_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get reports(): readonly AuthorityReport[] {
    return this.#parts.authorities.map((id) => this.#report(id));
  }

  /** What will end soon, in words. */
  get warnings(): readonly string[] {
    return this.#ending().map(({ message }) => message);
  }

  /** Undefined for an id that is none. */
  report(id: string): AuthorityReport | undefined {
    return this.#parts.authorities.includes(id) ? this.#report(id) : undefined;
  }

  /** Rejects with AuthorityError. */
  async rotate(id: string, by: Actor): Promise<AuthorityReport> {
    await this.#record(id, 'rotate', by);
    await this.#parts.issuer.rotate(id);
    return this.#report(id);
  }

  async request(id: string, by: Actor): Promise<string> {
    await this.#record(id, 'request', by);
    return this.#parts.issuer.request(id);
  }

  /** Rejects with AuthorityError. */
  async install(id: string, certificate: string, by: Actor): Promise<AuthorityReport> {
    await this.#record(id, 'import', by);
    await this.#parts.issuer.install(id, certificate);
    return this.#report(id);
  }

  async crl(id: string, by: Actor): Promise<string> {
    await this.#record(id, 'crl', by);
    return this.#parts.revocations.publish();
  }

  /** The certificates of connectors and services that have not ended. */
  certificates(): Promise<readonly HeldCertificate[]> {
    return this.#parts.desk.list();
  }

  /** Whose it was; undefined if no such certificate was issued, or it has ended. `serial`: hex. */
  async revoke(serial: string, by: Actor, reason?: string): Promise<string | undefined> {
    const { desk, recorder } = this.#parts;
    const found = await desk.holderOf(serial);
    if (found === undefined) return undefined;
    const { name, certificate } = found;
    const { serial: number, notAfter } = certificate;
    const ref = { serial: number, notAfter };
    await recorder.record(
      { kind: 'certificate-revoked', holder: name, certificate: ref, by, reason },
      { durable: true },
    );
    await desk.strike(name, certificate);
    return name;
  }

  /** Tells of what ends within 30, 7 and 1 days, each once. */
  async warn(): Promise<void> {
    const { recorder, log } = this.#parts;
    for (const { certificate, notAfter, days, message } of this.#ending()) {
      const key = `${certificate} ${notAfter}`;
      if (days >= (this.#warned.get(key) ?? Number.POSITIVE_INFINITY)) continue;
      this.#warned.set(key, days);
      log.warn({ certificate, notAfter: new Date(notAfter).toISOString() }, message);
      await recorder
        .record({ kind: 'certificate-expiring', certificate, notAfter, days })
        .catch((error: unknown) => log.error({ err: error }, 'a warning was not recorded'));
    }
  }

  #ending(): readonly ExpiringCa[] {
    const { authorities, makersEndingBy, now } = this.#parts;
    return [...authorities.flatMap((id) => this.#expiring(id)), ...expiringMakers(makersEndingBy, now())];
  }

  #expiring(id: string): readonly ExpiringCa[] {
    const { standing } = this.#parts.issuer.authority(id);
    return expiring(id, standing, this.#parts.now());
  }

  #report(id: string): AuthorityReport {
    const { standing } = this.#parts.issuer.authority(id);
    const { certificate, intermediates, rootOnline, place } = standing;
    return {
      id,
      root: { ...refOf(certificate), online: rootOnline },
      intermediate: { ...refOf(intermediates[0] ?? ''), key: place },
      certificate,
      intermediates,
      warnings: this.#expiring(id).map(({ message }) => message),
    };
  }

  async #record(
    authority: string,
    change: 'issuing' | 'rotate' | 'request' | 'import' | 'crl',
    by: Actor,
  ): Promise<void> {
    const { issuer, recorder } = this.#parts;
    const [issuing = ''] = issuer.authority(authority).intermediates;
    await recorder.record(
      { kind: 'authority-changed', authority, change, certificate: refOf(issuing), by },
      { durable: true },
    );
  }
}

function refOf(text: string): CertificateRef {
  const { serialNumber, validTo, fingerprint256 } = new X509Certificate(text);
  const sha256 = fingerprint256.replaceAll(':', '').toLowerCase();
  return { serial: serialNumber, sha256, notAfter: Date.parse(validTo) };
}
