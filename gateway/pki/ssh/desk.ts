// Gives people SSH certificates, tells sshd whom to trust and what is good no more. A certificate falls with its session,
// its person or its device: the revocation list is worked out from those each time it is asked for.
import type { Revocations } from '#gateway/access/revocations';
import type { LiveSession, Sessions } from '#gateway/identity/sessions';
import type { Store } from '#gateway/state/store';
import type { Actor, Peer } from '#siem/event';
import type { Log } from '#siem/log';
import type { Recorder } from '#siem/recorder';
import type { Issuer } from '../issuer.ts';
import type { SshRotation } from '../issuer-service.ts';
import type { SshCertificateRecord } from '../records.ts';
import type { SshAuthorityKey } from './authority.ts';
import type { SshIssued } from './issuing.ts';
import { writeKrl } from './krl.ts';
import { authorityLine } from './signing-key.ts';

/** How often a gateway says anew which keys it has, and for how long it is believed; in milliseconds. */
const PUBLISH_INTERVAL = 3_600_000;
const PUBLISHED_FOR = 30 * 24 * PUBLISH_INTERVAL;
/** An sshd whose clock is late goes by a certificate for longer, in milliseconds. */
const TOLERANCE = 300_000;
/** Whoever asks again within this time is given the same list, in milliseconds. */
const KRL_AGE = 1_000;
const AUTHORITY = 'ssh-ca';

export interface SshDeskOptions {
  /** This gateway's name. */
  readonly gateway: string;
  readonly issuer: Pick<Issuer, 'ssh' | 'sshKeys' | 'sshRotate'>;
  readonly store: Store;
  readonly sessions: Pick<Sessions, 'alive'>;
  readonly revocations: Pick<Revocations, 'coversDevice'>;
  readonly recorder: Pick<Recorder, 'record'>;
  readonly log: Log;
  readonly now: () => number;
}

/** Who asks for a certificate, and what allows it. */
export interface SshGrant {
  readonly session: LiveSession;
  readonly app: string;
  /** The public key's blob. */
  readonly key: Buffer;
  /** Id of the decision's event. */
  readonly decision: string;
  /** Epoch milliseconds. */
  readonly until: number;
  readonly device: string | undefined;
  readonly client: Peer;
  readonly traceId: string;
}

export class SshDesk {
  readonly #options: SshDeskOptions;
  #krl: { readonly blob: Promise<Buffer>; readonly at: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SshDeskOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#publish();
    this.#timer = setInterval(() => {
      this.#publish().catch((error: unknown) =>
        this.#options.log.error({ err: error }, 'the keys for SSH certificates were not published'),
      );
    }, PUBLISH_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Rejects with IssueError, or as the recorder does: then nobody has the certificate. */
  async issue(grant: SshGrant): Promise<SshIssued> {
    const { issuer, store, recorder } = this.#options;
    const { session, app, key, decision, until, device, client, traceId } = grant;
    const { id, email } = session.subject;
    const person = { id, ...(email === undefined ? {} : { email }) };
    const wish = { app, key: key.toString('base64'), person, session: session.id, decision, until };
    const issued = await issuer.ssh(wish);
    const { serial, keyId, principals, authority, validBefore: notAfter } = issued;
    const record = {
      ...{ authority, keyId, session: session.id, person: id, notAfter, revoked: false },
      ...(device === undefined ? {} : { device }),
    };
    await store.put('sshCertificate', serial, record, notAfter + TOLERANCE);
    await recorder.record({
      ...{ kind: 'ssh-certificate-issued', subject: session.subject, session: session.id, app },
      ...{ decisionId: decision, serial, keyId, principals, notAfter, client, traceId },
      ...{ key: issued.key, authority: issued.authorityFingerprint },
    });
    return issued;
  }

  /** Lines for TrustedUserCAKeys: the keys of every gateway of the installation. */
  async authorities(): Promise<string> {
    const all = await this.#options.store.list('sshKeys');
    return all
      .flatMap(([gateway, { keys }]) => keys.map((blob) => authorityLine(blob, `sallyport ${gateway}`)))
      .sort()
      .join('');
  }

  /** This gateway's own, the oldest first. */
  keys(): Promise<readonly SshAuthorityKey[]> {
    return this.#options.issuer.sshKeys();
  }

  /** For RevokedKeys. */
  krl(): Promise<Buffer> {
    const now = performance.now();
    if (this.#krl === undefined || now - this.#krl.at > KRL_AGE) {
      this.#krl = { blob: this.#makeKrl(), at: now };
      this.#krl.blob.catch(() => {
        this.#krl = undefined;
      });
    }
    return this.#krl.blob;
  }

  /** Rejects with AuthorityError. */
  async rotate(rotation: SshRotation, by: Actor): Promise<readonly SshAuthorityKey[]> {
    const { issuer, recorder } = this.#options;
    await recorder.record({ kind: 'authority-changed', authority: AUTHORITY, change: 'rotate', by });
    await issuer.sshRotate(rotation);
    return this.#publish();
  }

  /** Whose it was; undefined if there is no such certificate, or it has ended. `serial`: decimal. */
  async revoke(serial: string, by: Actor, reason?: string): Promise<string | undefined> {
    const { store, recorder } = this.#options;
    const known = await store.get('sshCertificate', serial);
    if (known === undefined) return undefined;
    const { keyId: holder, notAfter } = known;
    await recorder.record({
      ...{ kind: 'certificate-revoked', holder, certificate: { serial, notAfter }, by, reason },
    });
    await store.replace('sshCertificate', serial, { ...known, revoked: true }, notAfter + TOLERANCE);
    this.#krl = undefined;
    return holder;
  }

  async #publish(): Promise<readonly SshAuthorityKey[]> {
    const { gateway, issuer, store, now } = this.#options;
    const keys = await issuer.sshKeys();
    await store.put('sshKeys', gateway, { keys: keys.map(({ blob }) => blob) }, now() + PUBLISHED_FOR);
    return keys;
  }

  async #makeKrl(): Promise<Buffer> {
    const { store, now } = this.#options;
    const known = await store.list('sshCertificate');
    const over = await Promise.all(known.map(([, record]) => this.#isOver(record)));
    const revoked = known.filter((_, index) => over[index]);
    return writeKrl(
      revoked.map(([serial, { authority }]) => ({ serial: BigInt(serial), authority })),
      now(),
    );
  }

  async #isOver({ revoked, device, session }: SshCertificateRecord): Promise<boolean> {
    const { sessions, revocations } = this.#options;
    return revoked || revocations.coversDevice(device) || !(await sessions.alive(session));
  }
}
