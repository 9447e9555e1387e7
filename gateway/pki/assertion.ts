// The word passed on: a short-lived signed statement to the app of who asks, after which decision's rules.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readPrivate, writeWhole } from '#gateway/state/private-files';
import type { Login, Subject } from '#policy/input';

/** Header that carries the assertion; client copies of it never pass the edge. */
export const ASSERTION_HEADER = 'X-Sallyport-Assertion';
/** Seconds an assertion is valid. A cached one is used until half of it has passed. */
const LIFE = 60;
/** Entries kept: one per live session and app; the oldest goes first. */
const CACHE_LIMIT = 10_000;

export interface AssertionContext {
  /** The session's handle. */
  readonly session: string;
  readonly subject: Subject;
  readonly login: Login;
  readonly app: string;
  /** Hash of the policy that allowed the request. */
  readonly policy: string;
}

/** Signs assertions with a P-256 key of its own and publishes that key (RFC 7517). */
export class AssertionSigner {
  readonly jwks: { readonly keys: readonly Record<string, unknown>[] };
  readonly #key: KeyObject;
  readonly #header: string;
  readonly #issuer: string;
  readonly #now: () => number;
  readonly #cache = new Map<string, { token: string; policy: string; staleAt: number }>();

  constructor(key: KeyObject, issuer: string, now: () => number) {
    this.#key = key;
    this.#issuer = issuer;
    this.#now = now;
    const { x, y } = createPublicKey(key).export({ format: 'jwk' });
    // RFC 7638: the thumbprint is over the required members in lexical order.
    const kid = createHash('sha256')
      .update(JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }))
      .digest('base64url');
    this.jwks = { keys: [{ kty: 'EC', crv: 'P-256', x, y, use: 'sig', alg: 'ES256', kid }] };
    this.#header = encode({ alg: 'ES256', typ: 'sallyport-assertion+jwt', kid });
  }

  /** The assertion for this session and app: signed anew at most every half life, or when the policy changed. */
  assertion(context: AssertionContext): string {
    const now = this.#now();
    const cacheKey = `${context.session} ${context.app}`;
    const cached = this.#cache.get(cacheKey);
    if (cached !== undefined && now < cached.staleAt && cached.policy === context.policy) return cached.token;
    const token = this.#sign(context, Math.floor(now / 1000));
    this.#cache.delete(cacheKey);
    this.#cache.set(cacheKey, { token, policy: context.policy, staleAt: now + (LIFE / 2) * 1000 });
    if (this.#cache.size > CACHE_LIMIT) {
      const oldest = this.#cache.keys().next();
      if (!oldest.done) this.#cache.delete(oldest.value);
    }
    return token;
  }

  #sign(context: AssertionContext, now: number): string {
    const { subject, login } = context;
    const claims = {
      iss: this.#issuer,
      aud: context.app,
      sub: subject.id,
      iat: now,
      nbf: now,
      exp: now + LIFE,
      jti: crypto.randomUUID(),
      sid: context.session,
      name: subject.name,
      email: subject.email,
      groups: subject.groups,
      roles: subject.roles,
      auth_time: Math.floor(login.at / 1000),
      amr: login.amr,
      acr: login.acr,
      policy: { rev: context.policy },
    };
    const input = `${this.#header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Opens the signer whose key is kept in `directory`, making the key on first use. */
export function openAssertionSigner(directory: string, issuer: string, now: () => number): AssertionSigner {
  const file = join(directory, 'assertion.key');
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeWhole(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  return new AssertionSigner(createPrivateKey(readPrivate(file)), issuer, now);
}
