// A stand-in for the API of a Kubernetes cluster, as far as tokens go: it makes tokens of service accounts, bound to pods,
// and reviews them as the API's documentation says, strictly. It can be told to answer anything else.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import { type CertificateAuthority, openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';

/** Whoever cleans up when it is over. */
interface Scope {
  after(step: () => Promise<void>): void;
}

export const CLUSTER_ISSUER = 'https://kubernetes.default.svc.cluster.local';
const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview' };
const ACCOUNT_UID = randomUUID();

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class KubernetesApi {
  readonly directory: string;
  /** `https://127.0.0.1:…`. */
  url = '';
  /** Questions it was asked. */
  asked = 0;
  /** What it answers in the place of a review. */
  answer: Answer | undefined;
  keys!: JSONWebKeySet;
  /** Tokens that it takes, and whether their holder may create reviews. */
  readonly callers: Map<string, boolean> = new Map([['connector-1', true]]);
  readonly #pods = new Map<string, string>();
  #signing!: Awaited<ReturnType<typeof generateKeyPair>>;
  #server!: Server;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start(scope: Scope): Promise<KubernetesApi> {
    const api = new KubernetesApi(mkdtempSync(join(tmpdir(), 'sallyport-kubernetes-')));
    scope.after(() => api.#stop());
    api.#signing = await generateKeyPair('RS256');
    const jwk = { ...(await exportJWK(api.#signing.publicKey)), kid: 'sa-1', alg: 'RS256', use: 'sig' };
    api.keys = { keys: [jwk] };
    const shown = await issueCertificate(await api.authority('one'), ['127.0.0.1', 'localhost']);
    api.#server = createServer(shown, (request, response) => {
      api.#take(request, response).catch(() => response.destroy());
    });
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    api.url = `https://127.0.0.1:${(api.#server.address() as AddressInfo).port}`;
    writeFileSync(api.path('token'), 'connector-1\n');
    return api;
  }

  path(name: 'ca.crt' | 'token'): string {
    return join(this.directory, name);
  }

  /** For `clusters` of a connector. */
  get config(): { url: string; ca: string; token: string } {
    return { url: this.url, ca: this.path('ca.crt'), token: this.path('token') };
  }

  /** A new authority, in the file that pods are given. */
  async authority(name: string): Promise<CertificateAuthority> {
    const authority = await openAuthority(join(this.directory, name), `Cluster ${name}`, Date.now);
    writeFileSync(this.path('ca.crt'), authority.certificate);
    return authority;
  }

  /** Shows a certificate of this authority from now on. */
  async show(authority: CertificateAuthority): Promise<void> {
    this.#server.setSecureContext(await issueCertificate(authority, ['127.0.0.1', 'localhost']));
    this.#server.closeAllConnections();
  }

  startPod(name: string): void {
    this.#pods.set(name, randomUUID());
  }

  deletePod(name: string): void {
    this.#pods.delete(name);
  }

  /** As the kubelet asks for it (TokenRequest), for the account `shop/cart`. */
  async token(pod: string, audience = 'sallyport', life = '10m'): Promise<string> {
    return new SignJWT({
      'kubernetes.io': {
        namespace: 'shop',
        serviceaccount: { name: 'cart', uid: ACCOUNT_UID },
        pod: { name: pod, uid: this.#pods.get(pod) },
        node: { name: 'node-1', uid: 'f1' },
      },
    })
      .setProtectedHeader({ alg: 'RS256', kid: 'sa-1' })
      .setIssuer(CLUSTER_ISSUER)
      .setAudience([audience])
      .setSubject('system:serviceaccount:shop:cart')
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(life)
      .sign(this.#signing.privateKey);
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    if (this.answer !== undefined) {
      this.answer(request, response);
      return;
    }
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    };
    const caller = this.callers.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    if (caller === undefined) return send(401, { kind: 'Status', code: 401 });
    const route = `${request.method} ${request.url}`;
    if (route !== 'POST /apis/authentication.k8s.io/v1/tokenreviews') return send(404, { kind: 'Status' });
    if (!caller) return send(403, { kind: 'Status', code: 403 });
    if (request.headers['content-type'] !== 'application/json') return send(415, { kind: 'Status' });
    const { apiVersion, kind, spec, ...more } = (await json(request)) as Record<string, unknown>;
    const { token, audiences, ...unknown } = spec as { token: string; audiences: string[] };
    const strange = Object.keys({ ...more, ...unknown }).length > 0;
    if (strange || apiVersion !== REVIEW.apiVersion || kind !== REVIEW.kind)
      return send(422, { kind: 'Status' });
    const status = await this.#status(token, audiences).catch((error: Error) => ({ error: error.message }));
    // Go leaves out what is false.
    send(201, { ...REVIEW, metadata: { creationTimestamp: null }, spec: { token, audiences }, status });
  }

  async #status(token: string, audiences: readonly string[]): Promise<object> {
    const { payload } = await jwtVerify(token, createLocalJWKSet(this.keys), { issuer: CLUSTER_ISSUER });
    const meant = audiences.filter((one) => [payload.aud].flat().includes(one));
    if (meant.length === 0) throw new Error('[invalid bearer token, token audiences do not fit]');
    const { pod, node } = payload['kubernetes.io'] as Record<'pod' | 'node', { name: string; uid: string }>;
    if (this.#pods.get(pod.name) !== pod.uid)
      throw new Error('[invalid bearer token, service account token has been invalidated]');
    return {
      authenticated: true,
      user: {
        username: payload.sub,
        uid: ACCOUNT_UID,
        groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
        extra: {
          'authentication.kubernetes.io/credential-id': [`JTI=${payload.jti}`],
          'authentication.kubernetes.io/node-name': [node.name],
          'authentication.kubernetes.io/node-uid': [node.uid],
          'authentication.kubernetes.io/pod-name': [pod.name],
          'authentication.kubernetes.io/pod-uid': [pod.uid],
        },
      },
      audiences: meant,
    };
  }

  async #stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
