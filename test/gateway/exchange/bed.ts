// The token endpoint with real keys, tokens and proofs, and with services, sessions and policy that tests set.
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  X509Certificate,
} from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, decodeJwt, SignJWT } from 'jose';
import type { GatewayConfig } from '#gateway/config';
import { Metrics } from '#gateway/console/metrics';
import { Countries } from '#gateway/context/countries';
import { Connections } from '#gateway/edge/connections';
import type { CleanRequest } from '#gateway/edge/front';
import { Sites } from '#gateway/edge/sites';
import type { Asked, Delegation, Flow } from '#gateway/flow';
import { Proofs } from '#gateway/identity/dpop';
import type { LiveSession } from '#gateway/identity/live-session';
import type { Services } from '#gateway/identity/services';
import type { AssertionContext, AssertionSigner } from '#gateway/pki/assertion';
import { Delegations } from '#gateway/pki/delegation';
import type { KeyRing } from '#gateway/pki/key-ring';
import { ServiceExchange } from '#gateway/service-exchange';
import { openEmbeddedStore } from '#gateway/state/embedded';
import type { SallyportEvent } from '#siem/event';
import { authority, CLIENT, certify, derOf, newKeys } from '#test/gateway/identity/service-certificates';
import { Clock, CONTEXT, signerOf } from '#test/gateway/pki/signing';
import type { Scope } from '#test/story/installation';

export const FRONT = 'spiffe://prod.example/front';
export const STORAGE = 'spiffe://prod.example/storage';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';
export const GOOD: Readonly<Record<string, string>> = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token_type: JWT,
  audience: 'storage',
};

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const appOf = (id: string, exchange: readonly string[]): object => ({
  ...{ id, name: id, protocol: 'http', host: `${id}.example.com`, connectors: [], origins: [] },
  assertion: { bind: 'session', headers: [], exchange },
});

export class ExchangeBed {
  readonly clock: Clock;
  readonly events: SallyportEvent[] = [];
  readonly decided: { who: string; asked: Asked }[] = [];
  /** Who is asking, as the connection or token proved; undefined: nobody known. */
  service: string | undefined = FRONT;
  /** The certificate of the connection. */
  certificate: X509Certificate | undefined;
  session: LiveSession | undefined;
  /** Subjects that policy does not let through. */
  readonly denied: Set<string> = new Set();
  /** Subjects about whom nothing can be decided. */
  readonly undecided: Set<string> = new Set();
  /** Answers a proof's key. */
  readonly proofKeys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject } = generateKeyPairSync(
    'ec',
    {
      namedCurve: 'P-256',
    },
  );
  readonly certificates: readonly [X509Certificate, X509Certificate];
  readonly signer: AssertionSigner;
  readonly passing: ServiceExchange;
  readonly #origin: string;

  private constructor(
    certificates: readonly [X509Certificate, X509Certificate],
    signer: AssertionSigner,
    proofs: Proofs,
    clock: Clock,
    origin: (bed: ExchangeBed) => string,
  ) {
    this.clock = clock;
    this.certificates = certificates;
    this.certificate = certificates[0];
    this.signer = signer;
    const config = {
      portal: 'https://access.example.com',
      apps: [appOf('wiki', [FRONT]), appOf('storage', [STORAGE]), appOf('other', [])],
    } as unknown as GatewayConfig;
    this.session = {
      ...{ id: 'session-1', subject: CONTEXT.subject, login: CONTEXT.login ?? { provider: 'corp', at: 0 } },
      ...{ createdAt: 0, lastSeenAt: 0, expiresAt: clock.time + 3_600_000, clientAddress: '198.51.100.1' },
    };
    const record = (event: SallyportEvent): Promise<string> =>
      Promise.resolve(`event-${this.events.push(event)}`);
    this.passing = new ServiceExchange({
      sites: new Sites(config),
      services: { identify: () => Promise.resolve(this.#identified()) } as unknown as Services,
      delegations: new Delegations(signer.ring, signer.issuer, clock.now),
      sessions: { byId: (id) => Promise.resolve(id === this.session?.id ? this.session : undefined) },
      proofs,
      connections: new Connections(new Countries([])),
      flow: {
        rule: (asked: Asked, party: { session: LiveSession }) => this.#ruled(asked, party),
      } as unknown as Flow,
      recorder: { record } as never,
      strangers: { record } as never,
      metrics: new Metrics(),
    });
    this.#origin = origin(this);
  }

  static async start(t: Scope): Promise<ExchangeBed> {
    const clock = new Clock();
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-exchange-'));
    const store = openEmbeddedStore(join(directory, 'state'), clock.now);
    const root = await authority('Root', clock.time);
    const leaf = async (): Promise<X509Certificate> =>
      new X509Certificate(
        derOf(
          await certify('front', await newKeys(), root, { uris: [FRONT], purposes: [CLIENT] }, clock.time),
        ),
      );
    const certificates = [await leaf(), await leaf()] as const;
    const signer = await signerOf(store, clock);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(async () => {
      server.closeAllConnections();
      server.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });
    return new ExchangeBed(certificates, signer, new Proofs(store, clock.now), clock, (bed) => {
      const clean: CleanRequest = {
        host: 'access.example.com',
        path: '/oauth2/token',
        query: '',
        method: 'POST',
      };
      server.on('request', (request, response) => {
        Object.assign(request.socket, { getPeerX509Certificate: () => bed.certificate });
        // What is not a refusal is the flow's to answer.
        bed.passing
          .take({ request, response }, clean)
          .catch((error) => response.writeHead(503).end(JSON.stringify({ error: error.message })));
      });
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
  }

  #identified(): object {
    const { service, session, clock } = this;
    if (service === undefined) return { ok: false, code: 'certificate-chain', message: 'no' };
    const subject = { kind: 'service', id: service, groups: [], roles: [] };
    return { ok: true, session: { ...session, id: 'x509-1', subject, expiresAt: clock.time + 3_600_000 } };
  }

  #ruled(asked: Asked, { session }: { session: LiveSession }): Promise<object> {
    this.decided.push({ who: session.subject.id, asked });
    const { id } = session.subject;
    const reason = this.undecided.has(id) ? 'error' : this.denied.has(id) ? 'no-rule-matched' : 'allowed';
    return Promise.resolve({ allowed: reason === 'allowed', ruling: { decision: { reason } } });
  }

  /** What the front end was told of who asked it. */
  assertion(changed: Partial<AssertionContext> = {}): string {
    return this.signer.assertion({ ...CONTEXT, ...changed });
  }

  /** The same with other words or another header, signed by `key` or the right one. */
  async resigned(token: string, changed: object, header: object = {}, key?: KeyObject): Promise<string> {
    const { kid, key: own } = (this.signer.ring as KeyRing).signing;
    return new SignJWT({ ...decodeJwt(token), ...changed })
      .setProtectedHeader({ alg: 'ES256', typ: 'sallyport-assertion+jwt', kid, ...header })
      .sign(key ?? own);
  }

  async ask(
    form: Readonly<Record<string, string | undefined>> | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const given = typeof form === 'string' ? form : { subject_token: this.assertion(), ...GOOD, ...form };
    const named =
      typeof given === 'string' ? [] : Object.entries(given).filter(([, value]) => value !== undefined);
    const body =
      typeof given === 'string' ? given : new URLSearchParams(named as [string, string][]).toString();
    const reply = await fetch(this.#origin, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    });
    return { status: reply.status, body: (await reply.json()) as Answer['body'] };
  }

  async token(
    form: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { status, body } = await this.ask(form, headers);
    if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`);
    return String(body['access_token']);
  }

  /** A request to an app that carries `token`. */
  use(
    token: string | undefined,
    { app = 'storage', method = 'GET', dpop = '' }: { app?: string; method?: string; dpop?: string } = {},
  ): Promise<Delegation | undefined> {
    const request = {
      headers: {
        ...(token === undefined ? {} : { 'x-sallyport-on-behalf-of': token }),
        ...(dpop === '' ? {} : { dpop }),
      },
      socket: { getPeerX509Certificate: () => this.certificate },
    } as unknown as IncomingMessage;
    const clean = { host: `${app}.example.com`, path: '/a', query: '', method };
    const service = (this.#identified() as { session: LiveSession }).session;
    return this.passing.inNameOf(request, clean, { id: app } as never, service);
  }

  /** A DPoP proof for the token endpoint, or for a request with `token`. */
  proof(htu: string, htm: string, token?: string): string {
    const ath = token === undefined ? undefined : createHash('sha256').update(token).digest('base64url');
    const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url');
    const jwk = this.proofKeys.publicKey.export({ format: 'jwk' });
    const content = [
      part({ typ: 'dpop+jwt', alg: 'ES256', jwk }),
      part({ jti: randomUUID(), htm, htu, iat: Math.floor(this.clock.time / 1000), ath }),
    ].join('.');
    const key = { key: this.proofKeys.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
  }

  thumbprint(): Promise<string> {
    return calculateJwkThumbprint(this.proofKeys.publicKey.export({ format: 'jwk' }) as never);
  }
}
