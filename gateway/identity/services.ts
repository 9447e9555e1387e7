// Who a service is: by the certificate of its connection, or where it showed none by the token in the request. What it
// gets is a session that lasts as long as its proof and is never kept.
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { KeyOrigin } from '#policy/input';
import type { LiveSession } from './live-session.ts';
import { ServiceTokenError, type ServiceTokenFailure, type ServiceTokens } from './service-tokens.ts';
import { type Svid, SvidError, type SvidFailure, type TrustDomains } from './svid.ts';

export type ServiceFailure = SvidFailure | ServiceTokenFailure;

export type Identified =
  | { readonly ok: true; readonly session: LiveSession }
  | { readonly ok: false; readonly code: ServiceFailure; readonly message: string };

/** A service's proof as it will be a session. */
interface Proof {
  readonly handle: string;
  readonly subject: string;
  readonly provider: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly stands: NonNullable<LiveSession['stands']>;
  readonly key?: KeyOrigin | undefined;
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i;
const CHAIN_LIMIT = 16;

export class Services {
  readonly #revoked: (svid: Svid) => boolean;
  readonly #domains: TrustDomains;
  readonly #tokens: ServiceTokens;
  readonly #now: () => number;
  /** Chains are verified once a connection, and anew when the bundle changes. What runs out is looked at each time. */
  readonly #verified = new WeakMap<object, Svid>();

  /** `revoked`: whether one of our own was revoked; it may throw where that is not known. */
  constructor(
    domains: TrustDomains,
    tokens: ServiceTokens,
    now: () => number,
    revoked: (svid: Svid) => boolean = () => false,
  ) {
    this.#revoked = revoked;
    this.#domains = domains;
    this.#tokens = tokens;
    this.#now = now;
  }

  /** `sent`: the token, where it is not in the request's head. Rejects only where it cannot be found out: an issuer's keys, what was revoked. */
  async identify(request: IncomingMessage, address: string, sent?: string): Promise<Identified> {
    try {
      return { ok: true, session: this.#session(await this.#proof(request, sent), address) };
    } catch (error) {
      if (!(error instanceof SvidError || error instanceof ServiceTokenError)) throw error;
      return { ok: false, code: error.code, message: error.message };
    }
  }

  /** True if the request's token was for us, so that no app may see it. */
  usesToken({ socket }: IncomingMessage): boolean {
    return !this.#verified.has(socket);
  }

  async #proof(request: IncomingMessage, sent: string | undefined): Promise<Proof> {
    const socket = request.socket as TLSSocket;
    const certificate = socket.getPeerX509Certificate();
    if (certificate !== undefined) {
      const { id, trustDomain, notBefore, notAfter, key } = this.#svid(socket, certificate);
      const handle = `x509-${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`;
      const stands = (): boolean => this.#stands(socket, certificate);
      return { handle, subject: id, provider: trustDomain, notBefore, notAfter, key, stands };
    }
    const token = sent ?? BEARER.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) {
      throw new ServiceTokenError(
        'token-missing',
        'show a client certificate, or a token as Authorization: Bearer',
      );
    }
    const { issuer, fingerprint, ...proof } = await this.#tokens.verify(token);
    return { handle: `jwt-${fingerprint}`, provider: issuer, ...proof };
  }

  #svid(socket: TLSSocket, certificate: X509Certificate): Svid {
    let svid = this.#verified.get(socket);
    if (svid === undefined || !this.#domains.stands(svid)) {
      svid = this.#domains.verify(chainOf(certificate), this.#now());
      this.#verified.set(socket, svid);
    } else if (this.#now() >= svid.notAfter) {
      throw new SvidError('certificate-time', 'it has expired meanwhile');
    }
    if (this.#revoked(svid)) throw new SvidError('certificate-revoked', 'it was revoked; enrol anew');
    return svid;
  }

  /** Whether the certificate would still be taken: it may be revoked, or those who vouch for it may have changed. */
  #stands(socket: TLSSocket, certificate: X509Certificate): boolean {
    try {
      this.#svid(socket, certificate);
      return true;
    } catch (error) {
      if (error instanceof SvidError) return false;
      throw error;
    }
  }

  #session(
    { handle, subject: id, provider, notBefore, notAfter, key, stands }: Proof,
    address: string,
  ): LiveSession {
    return {
      id: handle,
      subject: { kind: 'service', id, groups: [], roles: [], ...(key === undefined ? {} : { key }) },
      login: { provider, at: notBefore },
      // Older than any revocation: certificates renew by themselves, and a service that was revoked must not with them.
      createdAt: 0,
      lastSeenAt: this.#now(),
      expiresAt: notAfter,
      clientAddress: address,
      stands,
    };
  }
}

/** Whether the proof behind a service's session still is one. Rejects where that is not known. */
export async function serviceLives({ expiresAt, stands }: LiveSession, at: number): Promise<boolean> {
  return at < expiresAt && (await stands?.()) !== false;
}

/** What the client showed, the leaf first. */
function chainOf(leaf: X509Certificate): Buffer[] {
  const chain: Buffer[] = [];
  for (let one: X509Certificate | undefined = leaf; one !== undefined; one = one.issuerCertificate) {
    const { raw } = one;
    if (chain.length === CHAIN_LIMIT || chain.some((known) => known.equals(raw))) break;
    chain.push(raw);
  }
  return chain;
}
