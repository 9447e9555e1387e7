// Sessions: made at sign-in, used through one cookie a host, ended at once. Nothing about a person is in a cookie.
import { randomUUID } from 'node:crypto';
import type { Destination, Session, Store } from '#gateway/state/store';
import type { Login, Subject } from '#policy/input';
import { hashSecret, newSecret } from './cookies.ts';

/** A hand-off code lives this long, in milliseconds: one redirect. */
const HANDOFF_LIFE = 30_000;
/** `lastSeenAt` is written at most this often, in milliseconds: it costs a durable write. */
const TOUCH_INTERVAL = 60_000;

export interface LiveSession extends Session {
  /** The session's handle: safe to log. */
  readonly id: string;
}

/** Why a session ended. */
export type SessionEnd = 'idle' | 'expired' | 'logout' | 'superseded' | 'revoked';

/** Told of every end, after the session is gone from the store: closes streams, records. */
export type SessionListener = (session: LiveSession, why: SessionEnd) => Promise<void>;

export interface SessionLimits {
  /** Milliseconds without a request, and since sign-in, after which a session is over. */
  readonly idle: number;
  readonly absolute: number;
}

export class Sessions {
  readonly #store: Store;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #onEnd: SessionListener;

  constructor(store: Store, limits: SessionLimits, now: () => number, onEnd: SessionListener) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
    this.#onEnd = onEnd;
  }

  /** Starts a session after a sign-in. It always has a new id and new doors (session fixation, CWE-384). */
  async start(subject: Subject, login: Login, clientAddress: string): Promise<LiveSession> {
    const now = this.#now();
    const id = randomUUID();
    const session: Session = {
      subject,
      login,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: now + this.#limits.absolute,
      clientAddress,
    };
    await this.#store.put('session', id, session, session.expiresAt);
    return { ...session, id };
  }

  /** A new cookie value that opens `session` on `host`, and the seconds it may live. */
  async openDoor(session: LiveSession, host: string): Promise<{ value: string; maxAge: number }> {
    const value = newSecret();
    await this.#store.put('door', hashSecret(value), { session: session.id, host }, session.expiresAt);
    return { value, maxAge: Math.max(0, Math.floor((session.expiresAt - this.#now()) / 1000)) };
  }

  /** The session that a cookie opens on `host`; undefined if there is none, or no longer. */
  async find(cookie: string | undefined, host: string): Promise<LiveSession | undefined> {
    if (cookie === undefined) return undefined;
    const door = await this.#store.get('door', hashSecret(cookie));
    if (door === undefined || door.host !== host) return undefined;
    return this.byId(door.session);
  }

  async byId(id: string): Promise<LiveSession | undefined> {
    const session = await this.#store.get('session', id);
    if (session === undefined) return undefined;
    const now = this.#now();
    const idle = now - session.lastSeenAt > this.#limits.idle;
    if (idle || now >= session.expiresAt) {
      await this.end(id, idle ? 'idle' : 'expired');
      return undefined;
    }
    if (now - session.lastSeenAt > TOUCH_INTERVAL) {
      await this.#store.replace('session', id, { ...session, lastSeenAt: now }, session.expiresAt);
    }
    return { ...session, id };
  }

  /** True while the session has not run out; does not count as using it. */
  async alive(id: string): Promise<boolean> {
    return (await this.#store.get('session', id)) !== undefined;
  }

  /** Ends a session on every host at once. True if it was live; of several callers one gets true. */
  async end(id: string, why: SessionEnd): Promise<boolean> {
    const session = await this.#store.take('session', id);
    if (session === undefined) return false;
    await this.#onEnd({ ...session, id }, why);
    return true;
  }

  async list(): Promise<readonly LiveSession[]> {
    return (await this.#store.list('session')).map(([id, session]) => ({ ...session, id }));
  }

  /** A single-use code that carries `session` to an app's host; the browser there must hold the start cookie. */
  async handOff(session: LiveSession, destination: Destination): Promise<string> {
    const code = newSecret();
    const expiresAt = this.#now() + HANDOFF_LIFE;
    await this.#store.put('handoff', hashSecret(code), { session: session.id, destination }, expiresAt);
    return code;
  }

  /** Spends a hand-off code. `start` is the browser's start cookie on `host`. */
  async receive(
    code: string,
    host: string,
    start: string | undefined,
  ): Promise<{ session: LiveSession; path: string } | undefined> {
    const handoff = await this.#store.take('handoff', hashSecret(code));
    if (handoff === undefined || start === undefined) return undefined;
    const { destination } = handoff;
    if (destination.host !== host || destination.start !== hashSecret(start)) return undefined;
    const session = await this.byId(handoff.session);
    return session === undefined ? undefined : { session, path: destination.path };
  }
}
