// The gateway's side of the issuing process: starts it, starts it again when it dies, and asks it for certificates. No
// key of an authority ever comes here.
import { type ChildProcess, fork } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Log } from '#siem/log';
import type { RevokedCertificate } from './authority.ts';
import { type Authority, type ClientWish, freshKey, type Issued } from './issued.ts';
import type { IssuerOperations, IssuerSettings, Standing } from './issuer-service.ts';
import type { SharedRoot } from './root-share.ts';
import type { SshAuthorityKey } from './ssh/authority.ts';
import type { SshIssued, SshWish } from './ssh/issuing.ts';
import type { SshTimes } from './ssh/schedule.ts';
import { rebuilt, type ToldError } from './told-error.ts';
import { Vouching } from './vouching.ts';

/** A TPM or a token may be slow, and many may wait for it; in milliseconds. */
const ANSWER_TIMEOUT = 30_000;
/** Between the death of the process and its next start, in milliseconds. */
const RESTART_PAUSE = 1_000;
const PROGRAM = new URL('./issuer-process.ts', import.meta.url);

/** The issuing process does not answer. */
class IssuerUnavailable extends Error {
  readonly code = 'issuer-unavailable';
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  readonly timer: NodeJS.Timeout;
}

interface Reply {
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: ToldError;
  readonly changed?: Record<string, Standing>;
  readonly failed?: { readonly message: string };
}

export class Issuer {
  readonly #settings: IssuerSettings;
  readonly #log: Log;
  readonly #waiting = new Map<number, Waiting>();
  readonly #authorities = new Map<string, IssuedElsewhere>();
  #child: ChildProcess | undefined;
  #last = 0;
  #stopped = false;
  #opened = false;

  constructor(settings: IssuerSettings, log: Log) {
    this.#settings = settings;
    this.#log = log;
    this.#start();
  }

  /** Takes over the root that the installation has. Before `open`. */
  async adopt(authority: string, root: SharedRoot): Promise<void> {
    await this.#ask('adopt', { authority, root });
  }

  /** This gateway's root, for the others; sealed. */
  offer(authority: string): Promise<SharedRoot> {
    return this.#ask('offer', { authority });
  }

  /** Rejects with AuthorityError, SignerError, LooseModeError or StateError. */
  async open(now: () => number): Promise<void> {
    const standings: Record<string, Standing> = await this.#ask('open', undefined);
    for (const [id, standing] of Object.entries(standings)) {
      this.#authorities.set(
        id,
        new IssuedElsewhere(id, standing, now, (operation, wish) => this.#ask(operation, wish)),
      );
    }
    this.#opened = true;
  }

  authority(id: string): IssuedElsewhere {
    const authority = this.#authorities.get(id);
    if (authority === undefined) throw new Error(`the authority ${id} is not open`);
    return authority;
  }

  /** A new intermediate with a new key. Rejects with AuthorityError. */
  async rotate(id: string): Promise<void> {
    this.#take(id, await this.#ask('rotate', { authority: id }));
  }

  /** PKCS#10 for a root that is elsewhere. */
  request(authority: string): Promise<string> {
    return this.#ask('request', { authority });
  }

  /** An intermediate that such a root signed, in PEM. Rejects with AuthorityError. */
  async install(id: string, certificate: string): Promise<void> {
    this.#take(id, await this.#ask('install', { authority: id, certificate }));
  }

  /** An SSH certificate. Rejects with IssueError. */
  ssh(wish: SshWish): Promise<SshIssued> {
    return this.#ask('ssh', wish);
  }

  /** What sshd has to trust for the certificates of this gateway. */
  sshKeys(): Promise<readonly SshAuthorityKey[]> {
    return this.#ask('sshKeys', undefined);
  }

  /** From now on there are the keys for SSH certificates that these times ask for. */
  sshKeep(times: SshTimes): Promise<void> {
    return this.#ask('sshKeep', times);
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.disconnect();
    this.#fail(new IssuerUnavailable('the gateway stops'));
  }

  #start(): void {
    const child = fork(fileURLToPath(PROGRAM), {
      // What the gateway was given to debug, measure or test itself is not for this process.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    child.on('message', (reply: Reply) => this.#heard(reply));
    child.on('error', (error) => this.#log.error({ err: error }, 'the issuing process cannot be started'));
    child.once('exit', (code, signal) => {
      this.#fail(new IssuerUnavailable('the issuing process ended'));
      if (this.#stopped) return;
      this.#log.error({ code, signal }, 'the issuing process ended; it is started again');
      setTimeout(() => this.#restart(), RESTART_PAUSE).unref();
    });
    child.send(this.#settings);
    // It must not keep a gateway alive that has nothing else to do.
    child.unref();
    child.channel?.unref();
  }

  #restart(): void {
    if (this.#stopped) return;
    this.#start();
    if (!this.#opened) return;
    this.#ask<Record<string, Standing>>('open', undefined).then(
      (standings) => {
        for (const [id, standing] of Object.entries(standings)) this.#take(id, standing);
      },
      (error: unknown) => {
        this.#log.error({ err: error }, 'the issuing process cannot open its authorities');
        this.#child?.kill();
      },
    );
  }

  #take(id: string, standing: Standing): void {
    this.authority(id).take(standing);
  }

  #heard({ id, value, error, changed, failed }: Reply): void {
    if (changed !== undefined) {
      for (const [authority, standing] of Object.entries(changed)) this.#take(authority, standing);
    }
    if (failed) this.#log.error({ reason: failed.message }, 'an intermediate could not be renewed');
    const waiting = id === undefined ? undefined : this.#waiting.get(id);
    if (id === undefined || waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    this.#idle();
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(rebuilt(error));
  }

  #ask<T>(operation: keyof IssuerOperations, wish: unknown): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#last += 1;
    const id = this.#last;
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      this.#idle();
      reject(new IssuerUnavailable(`the issuing process did not answer within ${ANSWER_TIMEOUT / 1000} s`));
    }, ANSWER_TIMEOUT);
    this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, timer });
    if (this.#child?.connected !== true) {
      this.#fail(new IssuerUnavailable('the issuing process is not there; try again shortly'));
      return promise;
    }
    this.#child.channel?.ref();
    this.#child.send({ id, operation, wish });
    return promise;
  }

  #idle(): void {
    if (this.#waiting.size === 0) this.#child?.channel?.unref();
  }

  #fail(error: Error): void {
    for (const [id, { reject, timer }] of this.#waiting) {
      this.#waiting.delete(id);
      clearTimeout(timer);
      reject(error);
    }
  }
}

type Ask = <T>(operation: keyof IssuerOperations, wish: unknown) => Promise<T>;

/** An authority whose keys are in the issuing process. */
export class IssuedElsewhere implements Authority {
  readonly #id: string;
  readonly #now: () => number;
  readonly #ask: Ask;
  readonly #listeners: (() => void)[] = [];
  #standing: Standing;
  #vouching: Vouching;

  constructor(id: string, standing: Standing, now: () => number, ask: Ask) {
    this.#id = id;
    this.#now = now;
    this.#ask = ask;
    this.#standing = standing;
    this.#vouching = new Vouching(standing);
  }

  get standing(): Standing {
    return this.#standing;
  }

  get certificate(): string {
    return this.#standing.certificate;
  }

  get bundle(): string {
    return this.#standing.bundle;
  }

  get intermediates(): readonly string[] {
    return this.#standing.intermediates;
  }

  get fingerprint(): string {
    return this.#vouching.fingerprint;
  }

  take(standing: Standing): void {
    const before = this.#standing;
    this.#standing = standing;
    this.#vouching = new Vouching(standing);
    if (before.intermediates[0] === standing.intermediates[0]) return;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async issueServer(names: readonly string[], life: number): Promise<Issued & { readonly key: string }> {
    const { publicKey, pem: key } = freshKey();
    const issued: Issued = await this.#ask('server', { ...this.#of(publicKey), names, life });
    return { ...issued, key };
  }

  async issuePeer(uri: string, life: number): Promise<Issued & { readonly key: string }> {
    const { publicKey, pem: key } = freshKey();
    const issued: Issued = await this.#ask('peer', { ...this.#of(publicKey), uri, life });
    return { ...issued, key };
  }

  issueClient(wish: ClientWish): Promise<Issued> {
    return this.#ask('client', { ...wish, authority: this.#id });
  }

  /** Signed revocation lists in PEM, one for each intermediate whose key is here. */
  crls(revoked: readonly RevokedCertificate[]): Promise<string> {
    return this.#ask('crl', { authority: this.#id, revoked });
  }

  vouchesFor(certificate: X509Certificate, shown?: X509Certificate): boolean {
    return this.#vouching.vouchesFor(certificate, this.#now(), shown);
  }

  vouchedFor(certificate: X509Certificate): boolean {
    return this.#vouching.vouchesFor(certificate, Date.parse(certificate.validTo) - 1);
  }

  #of(publicKey: ReturnType<typeof freshKey>['publicKey']): { authority: string; spki: string } {
    const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    return { authority: this.#id, spki };
  }
}
