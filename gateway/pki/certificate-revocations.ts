// Which certificates of ours are no longer good, at hand without asking the store, and the signed lists that say so to
// others. A view that has not been brought up to date for as long as a lease refuses every certificate.
import { join } from 'node:path';
import { LEASE } from '#gateway/identity/leases';
import { StateError } from '#gateway/state/error';
import { writeWhole } from '#gateway/state/private-files';
import type { Store } from '#gateway/state/store';
import type { Log } from '#siem/log';
import type { IssuedElsewhere } from './issuer.ts';

/** How often the store is read again, in milliseconds, lest a message got lost. */
const REFRESH_INTERVAL = 5_000;
/** How often lists are signed anew, in milliseconds; one may be relied on for a day. */
const PUBLISH_INTERVAL = 3_600_000;
const CHANNEL = 'certificate-revoked';
/** The lists' name within the authority's directory. */
const FILE = 'crl.pem';

export interface CertificateRevocationsOptions {
  readonly store: Store;
  readonly authority: Pick<IssuedElsewhere, 'crls' | 'onChange'>;
  /** The authority's. */
  readonly directory: string;
  readonly log: Log;
  readonly now: () => number;
  /** Monotonic milliseconds, as the store counts them. */
  readonly clock?: () => number;
}

export class CertificateRevocations {
  readonly #options: CertificateRevocationsOptions;
  readonly #clock: () => number;
  #known: ReadonlyMap<string, { readonly issuer: string; readonly at: number }> = new Map();
  #readAt = Number.NEGATIVE_INFINITY;
  /** Looks at the store that were begun, and the one whose answer is known. */
  #looks = 0;
  #look = 0;
  #lists = '';
  #signing: Promise<unknown> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];

  constructor(options: CertificateRevocationsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** Begins to hear of what other gateways revoke. */
  async listen(): Promise<void> {
    const { store, authority } = this.#options;
    const again = (): void => void this.refresh().catch(() => undefined);
    await store.subscribe(CHANNEL, again, again);
    await this.refresh();
    await this.publish();
    authority.onChange(() => void this.publish().catch(() => undefined));
    this.#timers = [
      setInterval(again, REFRESH_INTERVAL).unref(),
      setInterval(() => void this.#published(), PUBLISH_INTERVAL).unref(),
    ];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** PEM: a list of each intermediate whose key is at this gateway, and of the root where that is here. */
  get lists(): string {
    return this.#lists;
  }

  /** `serial`: hex. @throws {StateError} while that is not known. */
  covers(serial: string): boolean {
    if (this.#clock() - this.#readAt > LEASE + REFRESH_INTERVAL) {
      throw new StateError(
        'state-unreachable',
        'which certificates were revoked could not be read for too long',
      );
    }
    return this.has(serial);
  }

  /** `serial`: hex. True only for one that is known to be revoked. */
  has(serial: string): boolean {
    return this.#known.has(canonical(serial));
  }

  /** From now on no gateway accepts it. `expiresAt`: when it ends by itself. */
  async add(serial: string, issuer: string, expiresAt: number): Promise<void> {
    const { store, now } = this.#options;
    await store.put('revokedCertificate', canonical(serial), { issuer, at: now() }, expiresAt);
    await store.publish(CHANNEL, canonical(serial)).catch(() => undefined);
    await this.refresh();
  }

  async refresh(): Promise<void> {
    const { store } = this.#options;
    this.#looks += 1;
    const look = this.#looks;
    const asked = Math.min(this.#clock(), store.confirmedAt());
    const read = new Map((await store.list('revokedCertificate')).map(([key, value]) => [key, value]));
    // What began earlier may not have seen what is known by now.
    if (look < this.#look) return;
    this.#look = look;
    const changed = read.size !== this.#known.size || read.keys().some((key) => !this.#known.has(key));
    this.#known = read;
    this.#readAt = asked;
    if (changed && this.#lists !== '') await this.#published();
  }

  /** Signs the lists anew; what they are. */
  publish(): Promise<string> {
    // One after the other: the younger list must be the one that stays.
    const published = this.#signing.then(() => this.#publish());
    this.#signing = published.catch(() => undefined);
    return published;
  }

  async #publish(): Promise<string> {
    const { authority, directory } = this.#options;
    const revoked = [...this.#known].map(([serial, entry]) => ({ serial, ...entry }));
    this.#lists = await authority.crls(revoked);
    writeWhole(join(directory, FILE), this.#lists, 0o644);
    return this.#lists;
  }

  async #published(): Promise<void> {
    await this.publish().catch((error: unknown) =>
      this.#options.log.error({ err: error }, 'the revocation lists could not be signed; those before stay'),
    );
  }
}

/** Upper case without the zeros that DER puts before a high bit: one form for one number. */
function canonical(serial: string): string {
  const digits = serial.toUpperCase().replace(/^(?:00)+/, '');
  return digits === '' ? '00' : digits;
}
