// Gives people SSH certificates, tells sshd whom to trust and what is good no more. A certificate falls with its session,
// its person or its device: the revocation list is worked out from those each time it is asked for. No certificate is
// given before this gateway has the keys that its schedule asks for.
import type { Revocations } from '#gateway/access/revocations';
import type { DeviceVerifier } from '#gateway/attest/device-verifier';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Sessions } from '#gateway/identity/sessions';
import { StateError } from '#gateway/state/error';
import type { Store } from '#gateway/state/store';
import type { Log } from '#siem/log';
import type { Actor, Peer } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Issuer } from '../issuer.ts';
import type { SshCertificateRecord, SshSchedule } from '../records.ts';
import type { SshAuthorityKey } from './authority.ts';
import type { SshIssued } from './issuing.ts';
import { writeKrl } from './krl.ts';
import { due, rotated, type SshRotation } from './schedule.ts';
import { authorityLine } from './signing-key.ts';

/** How often a gateway looks whether its schedule has changed, in milliseconds. */
const LOOK_INTERVAL = 5_000;
/** How often it says anew which keys it has, and for how long it is believed; in milliseconds. */
const PUBLISH_INTERVAL = 3_600_000;
const PUBLISHED_FOR = 30 * 24 * PUBLISH_INTERVAL;
/** An sshd whose clock is late goes by a certificate for longer, in milliseconds. */
const TOLERANCE = 300_000;
/** Whoever asks again within this time is given the same list, in milliseconds. */
const KRL_AGE = 1_000;
const AUTHORITY = 'ssh-ca';
const GATEWAY: Actor = { kind: 'gateway', id: 'gateway' };

export interface SshDeskOptions {
  /** This gateway's name, or this worker's. */
  readonly name: string;
  /** The gateway's. */
  readonly gateway: string;
  readonly issuer: Pick<Issuer, 'ssh' | 'sshKeys' | 'sshKeep'>;
  readonly store: Store;
  readonly sessions: Pick<Sessions, 'alive'>;
  readonly revocations: Pick<Revocations, 'coversDevice'>;
  readonly devices: Pick<DeviceVerifier, 'find'>;
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
  /** The round of the schedule by which the keys are. */
  #round: string | undefined;
  #publishedAt = 0;
  #taking: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SshDeskOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#takeUp();
    this.#timer = setInterval(() => {
      this.#look().catch((error: unknown) => {
        // Of a state that does not answer others speak.
        if (error instanceof StateError) return;
        this.#options.log.error({ err: error }, 'the keys for SSH certificates are not as they should be');
      });
    }, LOOK_INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Rejects with IssueError, or as the recorder does: then nobody has the certificate. */
  async issue(grant: SshGrant): Promise<SshIssued> {
    const { issuer, store, recorder, now } = this.#options;
    const { session, app, key, decision, until, device, client, traceId } = grant;
    const issuedAt = now();
    const { id, email } = session.subject;
    const person = { id, ...(email === undefined ? {} : { email }) };
    const wish = { app, key: key.toString('base64'), person, session: session.id, decision, until };
    if ((await this.#schedule())?.round !== this.#round) await this.#takeUp();
    const issued = await issuer.ssh(wish);
    const { serial, keyId, principals, authority, validBefore: notAfter } = issued;
    const record = {
      ...{ authority, keyId, session: session.id, person: id, issuedAt, notAfter, revoked: false },
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

  /** Lines for TrustedUserCAKeys: the keys of every gateway of the installation, less those that were lost. */
  async authorities(): Promise<string> {
    const { store } = this.#options;
    const all = await store.list('sshKeys');
    const schedules = await store.list('sshSchedule');
    const lostOf = new Map(schedules.map(([gateway, { lost }]) => [gateway, lost]));
    return all
      .filter(([name, { of = name, lost }]) => lostOf.get(of) === lost)
      .flatMap(([name, { keys }]) => keys.map((blob) => authorityLine(blob, `sallyport ${name}`)))
      .sort()
      .join('');
  }

  /** The gateway whose schedule this one goes by. */
  get gateway(): string {
    return this.#options.gateway;
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

  /** Gateways of the installation that have published keys, whether or not they run. */
  async gateways(): Promise<ReadonlySet<string>> {
    const all = await this.#options.store.list('sshKeys');
    return new Set(all.map(([name, { of = name }]) => of));
  }

  /**
   * Changes the schedule of a gateway, for all of its workers; the time from which its next key signs. `round` is the same
   * where several are asked the same. Resolves once this one has taken it up, if it is its own; each other does so before
   * it signs again. Rejects with AuthorityError.
   */
  async rotate(gateway: string, rotation: SshRotation, by: Actor, round: string): Promise<number> {
    const { store, recorder, now } = this.#options;
    const own = gateway === this.#options.gateway;
    const authority = own ? AUTHORITY : `${gateway}/${AUTHORITY}`;
    await recorder.record({ kind: 'authority-changed', authority, change: 'rotate', by });
    let signsFrom = 0;
    await store.update('sshSchedule', gateway, (before) => {
      const same = before?.round === round;
      const times = same ? before : rotated(before, rotation, Math.floor(now()));
      signsFrom = times.from.at(-1) ?? 0;
      return same ? undefined : { value: { round, ...times } };
    });
    if (!own) return signsFrom;
    await this.#takeUp(by).catch((cause: Error) => {
      const { name } = this.#options;
      const message = `${gateway} has other keys from now on, but ${name} signs nothing until it could make its own: ${cause.message}`;
      throw new Error(message, { cause });
    });
    return signsFrom;
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

  #schedule(): Promise<SshSchedule | undefined> {
    const { gateway, store } = this.#options;
    return store.get('sshSchedule', gateway);
  }

  async #look(): Promise<void> {
    const stale = performance.now() - this.#publishedAt > PUBLISH_INTERVAL;
    if (stale || (await this.#schedule())?.round !== this.#round) await this.#takeUp();
  }

  /** From when this resolves the keys are as the schedule asks, and published. `by`: whoever asked here, which is recorded. */
  #takeUp(by?: Actor): Promise<void> {
    // One after the other: what is published last must be what there is.
    const taken = this.#taking.then(() => this.#take(by));
    this.#taking = taken.catch(() => undefined);
    return taken;
  }

  async #take(by: Actor | undefined): Promise<void> {
    const { issuer, recorder, now } = this.#options;
    const schedule = await this.#schedule();
    if (schedule !== undefined && schedule.round !== this.#round) {
      const { from, lost } = schedule;
      const held = (await issuer.sshKeys()).map(({ signsFrom }) => signsFrom);
      const { make, destroy } = due(schedule, held, now());
      if (by === undefined && make.length + destroy.length > 0) {
        const change = { kind: 'authority-changed', authority: AUTHORITY, change: 'issuing' } as const;
        await recorder.record({ ...change, by: GATEWAY });
      }
      await issuer.sshKeep({ from, ...(lost === undefined ? {} : { lost }) });
    }
    await this.#publish(schedule);
  }

  async #publish(schedule: SshSchedule | undefined): Promise<void> {
    const { name, gateway, issuer, store, now } = this.#options;
    const keys = await issuer.sshKeys();
    const lost = schedule?.lost === undefined ? {} : { lost: schedule.lost };
    const published = { keys: keys.map(({ blob }) => blob), of: gateway, ...lost };
    await store.put('sshKeys', name, published, now() + PUBLISHED_FOR);
    this.#round = schedule?.round;
    this.#publishedAt = performance.now();
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

  async #isOver({
    revoked,
    device,
    issuedAt = Number.POSITIVE_INFINITY,
    session,
  }: SshCertificateRecord): Promise<boolean> {
    const { sessions, revocations, devices } = this.#options;
    if (revoked || revocations.coversDevice(device) || !(await sessions.alive(session))) return true;
    if (device === undefined) return false;
    const enrolled = await devices.find(device);
    // What enrolled anew has nothing of what it had before it was revoked and forgotten.
    return enrolled?.state !== 'approved' || enrolled.enrolledAt > issuedAt;
  }
}
