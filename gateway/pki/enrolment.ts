// Enrolment tokens: an admin's single-use, short-lived permission for one named connector to get a certificate.
import { createHash, randomBytes } from 'node:crypto';
import type { KeyProof } from '#connectors/wire/evidence';
import type { KeyProofs } from '#gateway/attest/key-proof';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { EnrolledConnector, IssuedCertificate, Store } from '#gateway/state/store';
import type { KeyOrigin } from '#policy/input';
import type { CertificateRevocations } from './certificate-revocations.ts';
import type { Authority, Grant, Issued } from './issued.ts';
import { readRequest } from './signing-request.ts';

/** The token's prefix, so that secret scanners and people recognise one. */
const PREFIX = 'sallyport-enrol.';
const TOKEN_LIMIT = 4096;
/** Certificates of one name that are admitted at once; the oldest goes first. */
const MAX_CERTIFICATES = 64;

/** Names of connectors: a DNS label, so they fit certificates, events and file names alike. */
export const CONNECTOR_NAME: RegExp = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What to tell whoever wrote another one. */
export const CONNECTOR_NAME_WORDS = 'a name is small letters, digits and `-`, at most 63, like berlin-1';

export type EnrolmentFailure = 'token-malformed' | 'token-expired' | 'token-used' | 'connector-revoked';

/** Enrolment refused. `message` tells the connector's operator what to do. */
export class EnrolmentError extends Error {
  readonly code: EnrolmentFailure;
  readonly connector: string | undefined;
  constructor(code: EnrolmentFailure, message: string, connector?: string) {
    super(message);
    this.code = code;
    this.connector = connector;
  }
}

export interface EnrolmentOptions {
  readonly store: Store;
  readonly authority: Authority;
  /** SPIFFE trust domain of the certificates issued. */
  readonly trustDomain: string;
  /** Life of a connector's certificate in milliseconds. */
  readonly certificateLife: number;
  /** What other verifiers are told of certificates that are good no more. */
  readonly revocations?: Pick<CertificateRevocations, 'add'> | undefined;
  /** Judges whether a key is in a TPM; without it nobody can prove that. */
  readonly keys?: Pick<KeyProofs, 'check'> | undefined;
  readonly now: () => number;
}

/** A certificate that somebody has: a connector, or a service by its `serviceName`. */
export interface HeldCertificate {
  readonly name: string;
  readonly certificate: IssuedCertificate;
}

/** A certificate for somebody, and where the key of it is. */
export interface IssuedTo extends Issued {
  readonly name: string;
  readonly key: KeyOrigin;
}

export interface NewToken {
  readonly token: string;
  readonly name: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

interface TokenClaims {
  readonly v: 1;
  /** A connector's, or `service/<name>`. */
  readonly name: string;
  /** SHA-256 of the authority's DER: what the connector trusts before it trusts anything else. */
  readonly ca: string;
  /** Epoch seconds. */
  readonly exp: number;
  readonly secret: string;
}

export class EnrolmentDesk {
  readonly #options: EnrolmentOptions;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
  }

  /** Makes a token for one connector, or one service by its `serviceName`. `life` in milliseconds. Only its hash is kept. */
  async createToken(name: string, life: number, createdBy: string): Promise<NewToken> {
    const { store, authority, now } = this.#options;
    const secret = randomBytes(32).toString('base64url');
    const expiresAt = Math.floor((now() + life) / 1000) * 1000;
    await store.put('enrolment', hash(secret), { name, createdBy }, expiresAt);
    const claims: TokenClaims = { v: 1, name, ca: authority.fingerprint, exp: expiresAt / 1000, secret };
    return { token: PREFIX + Buffer.from(JSON.stringify(claims)).toString('base64url'), name, expiresAt };
  }

  /**
   * Spends a token and issues the connector's first certificate. The token is burnt before the request is
   * looked at, so however many callers race, one enrols. Throws EnrolmentError, IssueError or AttestationRefusal.
   */
  async enrol(token: string, csr: string, proof?: KeyProof): Promise<IssuedTo> {
    const { store, now } = this.#options;
    const claims = parseToken(token);
    // Before the token is spent: it does not admit whom somebody revokes meanwhile.
    const before = await store.get('connector', claims.name);
    const grant = await store.take('enrolment', hash(claims.secret));
    if (grant === undefined || grant.name !== claims.name) {
      // The token's own expiry is not trusted for anything but a kinder message.
      const expired = claims.exp * 1000 <= now();
      const used = 'was already used, or never issued by this gateway';
      const why = `the enrolment token ${expired ? 'has expired' : used}; ask for a new one`;
      throw new EnrolmentError(expired ? 'token-expired' : 'token-used', why, claims.name);
    }
    const enrolment = { kind: 'enrolment', id: hash(claims.secret) } as const;
    const mayHave = (known?: EnrolledConnector): boolean => !known?.revoked || before?.revoked === true;
    return this.#issue(grant.name, csr, enrolment, proof, mayHave);
  }

  /**
   * A fresh certificate for a connector that showed a valid one: `present`, in PEM with what it came with, of this
   * serial. Throws EnrolmentError, IssueError or AttestationRefusal.
   */
  async renew(
    name: string,
    serial: string,
    csr: string,
    present: string,
    proof?: KeyProof,
  ): Promise<IssuedTo> {
    if (!(await this.admits(name, serial))) throw isRevoked(name);
    const grant = { kind: 'renewal', certificate: present } as const;
    return this.#issue(name, csr, grant, proof, (known) => isAdmitted(known, serial));
  }

  /** True while a connector that shows this serial may connect. */
  async admits(name: string, serial: string): Promise<boolean> {
    return isAdmitted(await this.#options.store.get('connector', name), serial);
  }

  /** Certificates that are admitted, by their holders. */
  async list(): Promise<readonly HeldCertificate[]> {
    const { store, now } = this.#options;
    const holders = await store.list('connector');
    return holders
      .flatMap(([name, { certificates }]) => certificates.map((certificate) => ({ name, certificate })))
      .filter(({ certificate }) => certificate.notAfter > now());
  }

  /** Who holds a certificate that was issued and has not ended; undefined if nobody does. `serial`: hex. */
  async holderOf(serial: string): Promise<HeldCertificate | undefined> {
    const wanted = serial.toUpperCase();
    return (await this.list()).find(({ certificate }) => certificate.serial === wanted);
  }

  /** One certificate is admitted no more; others of the same holder are. */
  async strike(name: string, certificate: IssuedCertificate): Promise<void> {
    await this.#publish([certificate]);
    await this.#options.store.update('connector', name, (known) => {
      if (known === undefined) return undefined;
      const certificates = known.certificates.filter(({ serial }) => serial !== certificate.serial);
      return { value: { ...known, certificates } };
    });
  }

  /** Refuses every certificate of a connector, and every token made for it; a new one admits it again. False if there are none. */
  async revoke(name: string): Promise<boolean> {
    let struck: readonly IssuedCertificate[] = [];
    const { store } = this.#options;
    const tokens = (await store.list('enrolment')).filter(([, grant]) => grant.name === name);
    await Promise.all(tokens.map(([secret]) => store.remove('enrolment', secret)));
    const known = await store.update('connector', name, (current) => {
      struck = current?.certificates ?? [];
      return current === undefined ? undefined : { value: { ...current, revoked: true } };
    });
    await this.#publish(struck);
    // Only now: whoever tries again what was not acknowledged must find them.
    await store.update('connector', name, (current) =>
      current?.revoked === true ? { value: { ...current, certificates: [] } } : undefined,
    );
    return known || tokens.length > 0;
  }

  async #publish(struck: readonly IssuedCertificate[]): Promise<void> {
    const { revocations, now } = this.#options;
    for (const { serial, issuer, notAfter } of struck) {
      // One that ended, or that an earlier version issued, is in no list.
      if (issuer !== undefined && notAfter > now()) await revocations?.add(serial, issuer, notAfter);
    }
  }

  /** `mayHave`: asked of what is known of the holder when the certificate is there. */
  async #issue(
    name: string,
    csr: string,
    grant: Grant,
    proof: KeyProof | undefined,
    mayHave: (known: EnrolledConnector | undefined) => boolean,
  ): Promise<IssuedTo> {
    const { store, authority, trustDomain, certificateLife, keys, now } = this.#options;
    // Each certificate's key is proved anew: what the one before said of its key is not asked.
    const key: KeyOrigin = proof === undefined ? 'file' : 'tpm';
    if (proof !== undefined) {
      if (keys === undefined) throw new AttestationRefusal('ek-chain-untrusted');
      await keys.check(proof, csr, readRequest(csr).publicKey);
    }
    const uri = isService(name) ? `spiffe://${trustDomain}/${name}` : connectorUri(trustDomain, name);
    const issued = await authority.issueClient({ csr, uri, life: certificateLife, grant, key });
    // Replicas share a name, and each renews by itself, wherever: what one holds stays good until it runs out.
    const { serial, notAfter, issuer } = issued;
    const admitted = await store.update('connector', name, (known) => {
      // It may have been revoked just now, or the certificate that is renewed.
      if (!mayHave(known)) return undefined;
      const live = (known === undefined || known.revoked ? [] : known.certificates)
        .filter((one) => one.notAfter > now())
        .slice(1 - MAX_CERTIFICATES);
      const certificates = [...live, { serial, notAfter, issuer, key }];
      return { value: { enrolledAt: known?.enrolledAt ?? now(), certificates, revoked: false } };
    });
    if (!admitted) throw isRevoked(name);
    return { ...issued, name, key };
  }
}

function isAdmitted(known: EnrolledConnector | undefined, serial: string): boolean {
  return known?.revoked === false && known.certificates.some((one) => one.serial === serial);
}

function isRevoked(name: string): EnrolmentError {
  const message = 'this connector was revoked; enrol it anew, with a new token';
  return new EnrolmentError('connector-revoked', message, name);
}

/** What a gateway calls itself: as connectors are called, in the same trust domain. */
export function gatewayUri(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/gateway/${name}`;
}

function connectorUri(trustDomain: string, name: string): string {
  return `spiffe://${trustDomain}/connector/${name}`;
}

const SERVICE = 'service/';

/** What a service is called where connectors are called by their bare names. */
export function serviceName(name: string): string {
  return SERVICE + name;
}

/** True for what `serviceName` gives. */
export function isService(holder: string): boolean {
  return holder.startsWith(SERVICE);
}

/** The service named by a certificate's subjectAltName as Node prints it, as `serviceName` does; else undefined. */
export function serviceOf(subjectAltName: string | undefined, trustDomain: string): string | undefined {
  const prefix = `URI:spiffe://${trustDomain}/`;
  if (!subjectAltName?.startsWith(prefix)) return undefined;
  const holder = subjectAltName.slice(prefix.length);
  return isService(holder) && isHolder(holder) ? holder : undefined;
}

function isHolder(name: string): boolean {
  return CONNECTOR_NAME.test(isService(name) ? name.slice(SERVICE.length) : name);
}

/** The connector named by a certificate's subjectAltName as Node prints it, or undefined for anything else. */
export function connectorOf(subjectAltName: string | undefined, trustDomain: string): string | undefined {
  const prefix = `URI:${connectorUri(trustDomain, '')}`;
  if (!subjectAltName?.startsWith(prefix)) return undefined;
  const name = subjectAltName.slice(prefix.length);
  return CONNECTOR_NAME.test(name) ? name : undefined;
}

function parseToken(token: string): TokenClaims {
  const malformed = new EnrolmentError('token-malformed', 'this is not an enrolment token; copy it whole');
  if (token.length > TOKEN_LIMIT || !token.startsWith(PREFIX)) throw malformed;
  let claims: Partial<TokenClaims>;
  try {
    claims = JSON.parse(Buffer.from(token.slice(PREFIX.length), 'base64url').toString('utf8'));
  } catch {
    throw malformed;
  }
  const { v, name, exp, secret, ca } = claims;
  const wellFormed =
    v === 1 &&
    typeof name === 'string' &&
    isHolder(name) &&
    typeof exp === 'number' &&
    typeof secret === 'string' &&
    secret.length === 43 &&
    typeof ca === 'string';
  if (!wellFormed) throw malformed;
  return { v, name, exp, secret, ca };
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
