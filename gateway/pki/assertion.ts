// The word passed on: a short-lived signed statement to the app of who asks, from which device, through whom, and after
// which decision's rules.
import type { AccessRequest, Login, Subject } from '#policy/input';
import { encode, signed } from './jws.ts';
import type { KeyRing } from './key-ring.ts';

/** Header that carries the assertion; client copies of it never pass the edge. */
export const ASSERTION_HEADER = 'X-Sallyport-Assertion';
export const ASSERTION_TYPE = 'sallyport-assertion+jwt';
/** Seconds an assertion is valid. A cached one is used until half of it has passed. */
const LIFE = 60;
/** Entries kept while they are fresh: one per session, app, client certificate and acting service; the oldest goes first. */
const CACHE_LIMIT = 10_000;

/** Through whom a request came, the last one first (RFC 8693 section 4.1). */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** How an app wants its assertions. */
export interface AssertionWishes {
  /** `request`: each is for one method, address and decision, and none is used twice. */
  readonly bind: 'session' | 'request';
  /** The only groups the app is told of; undefined for all. */
  readonly groups?: readonly string[] | undefined;
}

/** What one request adds to an assertion that is bound to it. */
export interface BoundRequest {
  readonly method: string;
  /** Without query. */
  readonly url: string;
  /** The decision's id, as in the events. */
  readonly decision: string;
  /** W3C trace id: the same in the events of every hop. */
  readonly trace: string;
}

/** The service that asks in the subject's name, and what came to it with that name. */
export interface ActingFor {
  /** The service, and through whom the name came to it. */
  readonly act: Actor;
  /** The transaction that goes on. */
  readonly txn: string;
  /** Methods it was limited to. */
  readonly scope?: readonly string[] | undefined;
}

export interface AssertionContext {
  /** The session's handle. */
  readonly session: string;
  readonly subject: Subject;
  readonly login?: Login | undefined;
  readonly app: string;
  /** Hash of the policy that allowed the request. */
  readonly policy: string;
  readonly device?: AccessRequest['device'];
  /** RFC 7638 thumbprint of the device's key that the session is bound to. */
  readonly deviceKey?: string | undefined;
  /** The boot of the device in which that was. */
  readonly deviceBoot?: string | undefined;
  /** Until when it counts, epoch milliseconds. */
  readonly deviceUntil?: number | undefined;
  readonly risk?: number | undefined;
  /** Where the subject's own connection comes from. */
  readonly address: string;
  readonly acting?: ActingFor | undefined;
  /** Thumbprint of the client certificate of the connection to the app (RFC 8705), where there is one. */
  readonly certificate?: string | undefined;
  readonly wishes: AssertionWishes;
  readonly request: BoundRequest;
}

interface Cached {
  readonly token: string;
  readonly state: string;
  readonly staleAt: number;
}

export class AssertionSigner {
  readonly ring: KeyRing;
  /** The portal's origin. */
  readonly issuer: string;
  readonly #edge: string;
  readonly #now: () => number;
  readonly #cache = new Map<string, Cached>();
  #header = { kid: '', text: '' };

  /** `edge`: what this gateway is called in `act`. */
  constructor(ring: KeyRing, issuer: string, edge: string, now: () => number) {
    this.ring = ring;
    this.issuer = issuer;
    this.#edge = edge;
    this.#now = now;
  }

  /** What back ends verify with (RFC 7517). */
  get jwks(): KeyRing['jwks'] {
    return this.ring.jwks;
  }

  /** The assertion for a request: signed anew at most every half life of a session at an app, unless it is bound. */
  assertion(context: AssertionContext): string {
    const now = this.#now();
    if (context.wishes.bind === 'request') {
      return this.#sign(
        { ...boundClaims(context), ...claimsOf(context, this.#edge), ...decisionOf(context) },
        now,
      );
    }
    const cacheKey = `${context.session} ${context.app} ${context.certificate ?? ''} ${context.acting?.act.sub ?? ''}`;
    const state = stateOf(context);
    const cached = this.#cache.get(cacheKey);
    if (cached !== undefined && now < cached.staleAt && cached.state === state) return cached.token;
    const token = this.#sign(claimsOf(context, this.#edge), now);
    this.#cache.delete(cacheKey);
    this.#cache.set(cacheKey, { token, state, staleAt: now + (LIFE / 2) * 1000 });
    // Each is put at the end when it is made, so that the first ones run out first.
    for (const [key, { staleAt }] of this.#cache) {
      if (now < staleAt && this.#cache.size <= CACHE_LIMIT) break;
      this.#cache.delete(key);
    }
    return token;
  }

  /** Assertions that are kept. */
  get kept(): number {
    return this.#cache.size;
  }

  #sign(claims: object, now: number): string {
    const { kid, key } = this.ring.signing;
    const iat = Math.floor(now / 1000);
    const jti = crypto.randomUUID();
    // The transaction begins with this assertion, unless it is one request's, whose trace has a name already.
    const whole = { iss: this.issuer, txn: jti, ...claims, iat, nbf: iat, exp: iat + LIFE, jti };
    return signed(this.#headerFor(kid), whole, key);
  }

  #headerFor(kid: string): string {
    if (this.#header.kid !== kid) {
      this.#header = { kid, text: encode({ alg: 'ES256', typ: ASSERTION_TYPE, kid }) };
    }
    return this.#header.text;
  }
}

function claimsOf(context: AssertionContext, edge: string): object {
  const { session, subject, login, app, device, risk, address, certificate, acting } = context;
  const { groups } = context.wishes;
  return {
    aud: app,
    sub: subject.id,
    sid: session,
    name: subject.name,
    email: subject.email,
    groups: groups === undefined ? subject.groups : subject.groups.filter((one) => groups.includes(one)),
    roles: subject.roles,
    auth_time: login && Math.floor(login.at / 1000),
    amr: login?.amr,
    acr: login?.acr,
    act: { sub: edge, act: acting?.act },
    device: device && deviceClaims(device, context),
    network: { address },
    risk,
    policy: { rev: context.policy },
    ...(acting === undefined ? {} : { txn: acting.txn, scope: acting.scope?.join(' ') }),
    cnf: certificate === undefined ? undefined : { 'x5t#S256': certificate },
  };
}

/** Whatever may change while a session lives: what was said before it changed is not said again. */
function stateOf(context: AssertionContext): string {
  const { policy, device, deviceKey, deviceBoot, deviceUntil, risk } = context;
  const { subject, login, address, acting } = context;
  const facts = [device, deviceKey, deviceBoot, deviceUntil, risk, acting];
  const known = facts.some((fact) => fact !== undefined) ? JSON.stringify(facts) : '';
  return `${policy} ${login?.at ?? subject.id} ${address} ${known}`;
}

function boundClaims({ request: { method, url, trace } }: AssertionContext): object {
  return { htm: method, htu: url, txn: trace };
}

function decisionOf({ policy, request }: AssertionContext): object {
  return { policy: { rev: policy, decision: request.decision } };
}

function deviceClaims(
  { id, ...posture }: NonNullable<AccessRequest['device']>,
  { deviceKey: key, deviceBoot: boot, deviceUntil }: AssertionContext,
): object {
  const { quotedAt, ...facts } = posture;
  const at = quotedAt === undefined ? {} : { quotedAt: Math.floor(quotedAt / 1000) };
  const until = deviceUntil === undefined ? undefined : Math.floor(deviceUntil / 1000);
  return { id, key, boot, until, posture: { ...facts, ...at } };
}
