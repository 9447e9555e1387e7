// Sessions: made at sign-in, used through one cookie a host, ended at once. Nothing about a person is in a cookie.
import { randomUUID } from 'node:crypto';
import { StateError } from '#gateway/state/error';
import type { Destination, PersonSessions, Session, Store } from '#gateway/state/store';
import type { Login, Subject } from '#policy/input';
import { hashSecret, newSecret } from './cookies.ts';
import { Doors } from './doors.ts';
import { type Asked, Leases } from './leases.ts';
import type { LiveSession } from './live-session.ts';

/** A hand-off code lives this long, in milliseconds: one redirect. */
const HANDOFF_LIFE = 30_000;
/** `lastSeenAt` is written at most this often, in milliseconds: it costs a durable write. */
const TOUCH_INTERVAL = 60_000;

/** Why a session ended. */
export type SessionEnd = 'idle' | 'expired' | 'logout' | 'superseded' | 'revoked';

/** Told of every end, after the session is gone from the store: closes streams, records. */
export type SessionListener = (session: LiveSession, why: SessionEnd) => Promise<void>;

export interface SessionLimits {
  /** Milliseconds without a request, and since sign-in, after which a session is over. */
  readonly idle: number;
  readonly absolute: number;
  /** Sessions one person may have at once; signing in once more ends the oldest. */
  readonly perPerson?: number | undefined;
  /** Whose sign-ins count, by their ids; everybody's if left out. */
  readonly providers?: { has(id: string): boolean };
}

export class Sessions {
  readonly #store: Store;
  readonly #limits: SessionLimits;
  readonly #now: () => number;
  readonly #onEnd: SessionListener;
  readonly #revoked: (session: LiveSession) => boolean;
  readonly #leases: Leases;
  readonly doors: Doors;
  /** Looks at the store that are under way, and how many ends there had been when each began. */
  readonly #reading = new Map<
    string,
    { readonly found: Promise<LiveSession | undefined>; readonly ends: number }
  >();

  /** `revoked`: whether a session is void although it is still in the store. */
  constructor(
    store: Store,
    limits: SessionLimits,
    now: () => number,
    onEnd: SessionListener,
    revoked: (session: LiveSession) => boolean = () => false,
    leases: Leases = new Leases(store),
  ) {
    this.#store = store;
    this.#limits = limits;
    this.#now = now;
    this.#onEnd = onEnd;
    this.#revoked = revoked;
    this.#leases = leases;
    this.doors = new Doors(store, leases);
  }

  /**
   * Starts a session after a sign-in. It always has a new id and new doors (session fixation, CWE-384).
   * `providerSession`: the provider's own name for it, by which it can end it (OIDC Back-Channel Logout 1.0).
   */
  async start(
    subject: Subject,
    login: Login,
    clientAddress: string,
    providerSession?: string,
  ): Promise<LiveSession> {
    const now = this.#now();
    const id = randomUUID();
    const expiresAt = now + this.#limits.absolute;
    const session: Session = { subject, login, createdAt: now, lastSeenAt: now, expiresAt, clientAddress };
    await this.#store.put('session', id, session, expiresAt);
    if (providerSession !== undefined) {
      // Who is signed in there may sign in here more than once, and then signs out of all of it.
      await this.#store.update('providerSession', `${login.provider} ${providerSession}`, (known) => {
        const last = known === undefined ? [] : [{ id: known.session, expiresAt }];
        const before = [...(known?.before ?? []).filter((one) => one.expiresAt > now), ...last];
        return { value: { session: id, before }, expiresAt };
      });
    }
    const beyond = await this.#enlist(subject.id, { id, expiresAt });
    for (const oldest of beyond) await this.end(oldest, 'superseded');
    return { ...session, id };
  }

  /** A new cookie value that opens `session` on `host`, with the bond it carries, and the seconds it may live. */
  async openDoor(session: LiveSession, host: string): Promise<{ value: string; maxAge: number }> {
    const value = await this.doors.open(session, host);
    return { value, maxAge: Math.max(0, Math.floor((session.expiresAt - this.#now()) / 1000)) };
  }

  /** The session that a cookie opens on `host`; undefined if there is none, or no longer. */
  async find(cookie: string | undefined, host: string): Promise<LiveSession | undefined> {
    const door = cookie === undefined ? undefined : await this.doors.find(cookie, host);
    if (door === undefined) return undefined;
    const session = await this.byId(door.session);
    return session === undefined || door.bond === undefined ? session : { ...session, bond: door.bond };
  }

  async byId(id: string): Promise<LiveSession | undefined> {
    let session = this.#leases.session(id);
    // What looks idle here may have been used at another gateway.
    if (session === undefined || this.#over(session) !== undefined) session = await this.#read(id);
    if (session === undefined) return undefined;
    const over = this.#over(session);
    if (over !== undefined) {
      await this.end(id, over);
      return undefined;
    }
    return this.#touched(session);
  }

  /** True while the session has not been ended or run out; does not count as using it. */
  async alive(id: string): Promise<boolean> {
    const session = this.#leases.session(id) ?? (await this.#read(id));
    return session !== undefined && this.#now() < session.expiresAt && !this.#revoked(session);
  }

  /**
   * Ends a session on every host and every gateway at once. True if it was live; of several callers one gets true.
   * `first`: tells more of it than that it ended, before anybody hears that.
   */
  async end(id: string, why: SessionEnd, first?: () => Promise<void>): Promise<boolean> {
    const taken = await this.#store.take('session', id);
    this.#leases.endSession(id);
    await first?.();
    // It is gone for good, maybe in a try that nobody acknowledged and nobody was told of. A gateway that does not hear
    // of it now finds out when its lease ends.
    await this.#store.publish(ENDED, id).catch(() => undefined);
    if (taken === undefined) return false;
    const session = { ...taken, id };
    await this.#delist(session).catch(() => undefined);
    await this.#onEnd(session, why);
    return true;
  }

  /** Forgets at this gateway what `ended` says is over: it was ended elsewhere. */
  forget(ended: ((session: LiveSession) => boolean) | 'all'): void {
    if (ended === 'all') this.#leases.endAll();
    else this.#leases.end(ended);
  }

  /** Hears of sessions that end at other gateways; `ended` closes what they have open here. */
  async listen(ended: (session: string) => void, missed: () => void): Promise<void> {
    const hear = (id: string): void => {
      this.#leases.endSession(id);
      ended(id);
    };
    const lost = (): void => {
      this.#leases.endAll();
      missed();
    };
    await this.#store.subscribe(ENDED, hear, lost);
    await this.doors.listen(lost);
  }

  /** A session as it is kept, over or not; does not count as using it. */
  async kept(id: string): Promise<LiveSession | undefined> {
    const found = await this.#store.get('session', id);
    return found && { ...found, id };
  }

  sweep(): void {
    this.#leases.sweep();
  }

  async list(): Promise<readonly LiveSession[]> {
    return (await this.#store.list('session')).map(([id, value]) => ({ ...value, id }));
  }

  /** The live sessions of one person, by `<issuer>#<sub>`. */
  async ofPerson(subject: string): Promise<readonly LiveSession[]> {
    const known = (await this.#store.get('person', subject))?.sessions ?? [];
    const found = await Promise.all(known.map(({ id }) => this.#store.get('session', id)));
    return known.flatMap(({ id }, index) => {
      const session = found[index];
      return session === undefined ? [] : [{ ...session, id }];
    });
  }

  /** The ids of all sessions, over or not, that began while a provider's own, which it calls `name`, lasted. */
  async ofProvider(provider: string, name: string): Promise<readonly string[]> {
    const known = await this.#store.get('providerSession', `${provider} ${name}`);
    return known === undefined ? [] : [...(known.before ?? []).map(({ id }) => id), known.session];
  }

  /** A single-use code that carries `session` to an app's host; the browser there must hold the start cookie. */
  async handOff(session: LiveSession, destination: Destination): Promise<string> {
    const code = newSecret();
    const expiresAt = this.#now() + HANDOFF_LIFE;
    const bond = session.bond === undefined ? {} : { bond: session.bond };
    await this.#store.put(
      'handoff',
      hashSecret(code),
      { session: session.id, destination, ...bond },
      expiresAt,
    );
    return code;
  }

  /** Spends a hand-off code. `starts` are the browser's start cookies on `host`. */
  async receive(
    code: string,
    host: string,
    starts: readonly string[],
  ): Promise<{ session: LiveSession; path: string } | undefined> {
    const handoff = await this.#store.take('handoff', hashSecret(code));
    if (handoff === undefined) return undefined;
    const { destination } = handoff;
    if (destination.host !== host || !starts.some((one) => destination.start === hashSecret(one)))
      return undefined;
    const session = await this.byId(handoff.session);
    if (session === undefined) return undefined;
    const bond = handoff.bond === undefined ? {} : { bond: handoff.bond };
    return { session: { ...session, ...bond }, path: destination.path };
  }

  #over(session: LiveSession): SessionEnd | undefined {
    const now = this.#now();
    if (now >= session.expiresAt) return 'expired';
    if (now - session.lastSeenAt > this.#limits.idle) return 'idle';
    return this.#revoked(session) ? 'revoked' : undefined;
  }

  /** Asks the store, once for all who wait for the same session. */
  #read(id: string): Promise<LiveSession | undefined> {
    const asked = this.#leases.asking();
    const { ends } = asked;
    const under = this.#reading.get(id);
    // What began before an end may not have seen it.
    if (under?.ends === ends) return under.found;
    const found = this.#lease(id, asked).finally(() => {
      if (this.#reading.get(id)?.found === found) this.#reading.delete(id);
    });
    this.#reading.set(id, { found, ends });
    return found;
  }

  async #lease(id: string, asked: Asked): Promise<LiveSession | undefined> {
    const found = await this.#store.get('session', id);
    if (!this.#leases.trusted) {
      throw new StateError('state-unreachable', 'the store has not spoken for the installation for too long');
    }
    if (found === undefined || this.#limits.providers?.has(found.login.provider) === false) return undefined;
    // Also where the limit was longer when it began.
    const expiresAt = Math.min(found.expiresAt, found.createdAt + this.#limits.absolute);
    const session = { ...found, expiresAt, id };
    this.#leases.keepSession(session, asked);
    return session;
  }

  #touched(session: LiveSession): LiveSession {
    const lastSeenAt = this.#now();
    if (lastSeenAt - session.lastSeenAt <= Math.min(TOUCH_INTERVAL, this.#limits.idle / 4)) return session;
    const touched = { ...session, lastSeenAt };
    this.#leases.amend(touched);
    // Not waited for: should it fail, the session only seems idle for longer than it was.
    this.#store
      .update('session', session.id, (current) =>
        current === undefined
          ? undefined
          : { value: { ...current, lastSeenAt }, expiresAt: session.expiresAt },
      )
      .catch(() => undefined);
    return touched;
  }

  /** Notes a person's session; answers those beyond the limit, oldest first. */
  async #enlist(person: string, session: PersonSessions['sessions'][number]): Promise<readonly string[]> {
    let beyond: readonly string[] = [];
    await this.#store.update('person', person, (current) => {
      const live = (current?.sessions ?? []).filter(({ expiresAt }) => expiresAt > this.#now());
      const sessions = [...live, session];
      const excess = Math.max(0, sessions.length - (this.#limits.perPerson ?? Number.POSITIVE_INFINITY));
      beyond = sessions.slice(0, excess).map(({ id }) => id);
      return { value: { sessions: sessions.slice(excess) }, expiresAt: session.expiresAt };
    });
    return beyond;
  }

  async #delist({ id, subject }: LiveSession): Promise<void> {
    await this.#store.update('person', subject.id, (current) => {
      const sessions = current?.sessions.filter((one) => one.id !== id) ?? [];
      if (current === undefined || sessions.length === current.sessions.length) return undefined;
      return {
        value: { sessions },
        expiresAt: Math.max(this.#now() + 1, ...sessions.map(({ expiresAt }) => expiresAt)),
      };
    });
  }
}

/** The channel on which gateways tell each other of sessions that ended. */
const ENDED = 'session-ended';
