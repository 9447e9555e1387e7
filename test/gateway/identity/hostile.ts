// An OpenID provider that does as it is told, also what no provider may: every answer can be replaced, delayed, bloated
// or sent elsewhere. Built on sockets and jose, so that nothing in it refuses to misbehave.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, type JWK, SignJWT } from 'jose';
import type { ProviderConfig } from '#gateway/config';

export type Route = 'discovery' | 'jwks' | 'token' | 'userinfo';

/** What to answer instead; undefined leaves the honest answer. */
export type Misdeed = (
  response: ServerResponse,
  request: IncomingMessage,
  body: string,
) => undefined | boolean | Promise<undefined | boolean>;

export interface Key {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const CLIENT = 'sallyport';
export const CLIENT_SECRET = 'a-client-secret-of-more-than-32-bytes-in-all';

export class HostileProvider {
  readonly issuer: string;
  /** Requests by path, in order. */
  readonly asked: string[] = [];
  readonly misdeeds: Partial<Record<Route, Misdeed>> = {};
  /** Keys that are published. */
  keys: Key[];
  /** Changes to the honest ID token: claims, header, or the whole token's text. */
  claims: Record<string, unknown> = {};
  header: Record<string, unknown> = {};
  idToken: ((claims: Record<string, unknown>) => Promise<string> | string) | undefined;
  userinfo: Record<string, unknown> = {};
  metadata: Record<string, unknown> = {};
  nonce = '';
  challenge = '';
  readonly #server: Server;

  private constructor(server: Server, issuer: string) {
    this.#server = server;
    this.issuer = issuer;
    this.keys = [newKey('key-1')];
    server.on('request', (request, response) => void this.#answer(request, response));
  }

  static async start(certificate: { cert: string; key: string }): Promise<HostileProvider> {
    const server = createServer(certificate);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HostileProvider(server, `https://localhost:${(server.address() as AddressInfo).port}`);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Honest again. */
  repent(): void {
    for (const route of Object.keys(this.misdeeds)) delete this.misdeeds[route as Route];
    this.keys = [newKey('key-1')];
    [this.claims, this.header, this.userinfo, this.metadata] = [{}, {}, {}, {}];
    this.idToken = undefined;
    this.asked.length = 0;
  }

  config(id: string, caFile: string, secretFile: string): ProviderConfig {
    return {
      ...{
        id,
        name: id,
        issuer: this.issuer,
        clientId: CLIENT,
        clientSecret: { file: secretFile },
        ca: caFile,
      },
      ...{ scopes: ['openid'], groupsClaim: 'groups', rolesClaim: 'roles', signingAlgorithm: 'RS256' },
      mfa: { amr: ['mfa'], acr: [] },
    };
  }

  get honestClaims(): Record<string, unknown> {
    const now = Math.floor(Date.now() / 1000);
    const { issuer, nonce } = this;
    return {
      iss: issuer,
      aud: CLIENT,
      sub: 'ada',
      iat: now,
      exp: now + 300,
      auth_time: now,
      nonce,
      groups: ['staff'],
    };
  }

  async sign(claims: Record<string, unknown>, header: Record<string, unknown>, key: Key): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', this.issuer).pathname;
    this.asked.push(path);
    let body = '';
    for await (const chunk of request) body += String(chunk);
    // A provider whose addresses have moved serves them there.
    const route = ROUTES[path.replace(/^\/moved/, '')];
    if (route === undefined) return void json(response, 404, {});
    const misdeed = this.misdeeds[route];
    if (misdeed !== undefined && (await misdeed(response, request, body)) !== undefined) return;
    json(response, 200, await this.#honest(route, body));
  }

  async #honest(route: Route, body: string): Promise<object> {
    const { issuer } = this;
    switch (route) {
      case 'discovery':
        return {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          userinfo_endpoint: `${issuer}/userinfo`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
          code_challenge_methods_supported: ['S256'],
          ...this.metadata,
        };
      case 'jwks':
        return { keys: await Promise.all(this.keys.map(published)) };
      case 'token': {
        const sent = new URLSearchParams(body);
        const proof = createHash('sha256')
          .update(sent.get('code_verifier') ?? '')
          .digest('base64url');
        if (proof !== this.challenge) return { error: 'invalid_grant' };
        const claims = { ...this.honestClaims, ...this.claims };
        for (const [name, value] of Object.entries(claims))
          if (value === undefined) delete claims[name as 'iss'];
        const token = this.idToken?.(claims) ?? this.sign(claims, this.header, this.keys[0] as Key);
        return { access_token: 'access', token_type: 'Bearer', expires_in: 300, id_token: await token };
      }
      default:
        return { sub: 'ada', name: 'Ada', ...this.userinfo };
    }
  }
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/.well-known/openid-configuration': 'discovery',
  '/jwks': 'jwks',
  '/token': 'token',
  '/userinfo': 'userinfo',
};

export function newKey(kid: string): Key {
  return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
}

async function published({ kid, publicKey }: Key): Promise<JWK> {
  return { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' };
}

export function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}
