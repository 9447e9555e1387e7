// What may be recorded of people and their sessions: signing in and out, taking access away, tokens in their name.
import type { Login, Subject } from '#policy/input';
import type { Actor, Optional, Peer } from './parties.ts';

export interface LoginSucceeded {
  readonly kind: 'login-succeeded';
  readonly subject: Subject;
  readonly login: Login;
  readonly session: string;
  readonly client: Peer;
  readonly userAgent?: Optional<string>;
  readonly stepUp?: Optional<boolean>;
}

export interface LoginFailed {
  readonly kind: 'login-failed';
  /** Stable code: `state-unknown`, `provider-error`, `id-token-invalid`, `provider-unreachable`, … */
  readonly code: string;
  readonly provider?: Optional<string>;
  /** Only when the provider vouched for it. */
  readonly subject?: Optional<Subject>;
  readonly client: Peer;
  readonly userAgent?: Optional<string>;
}

export interface Logout {
  readonly kind: 'logout';
  readonly subject: Subject;
  readonly session: string;
  readonly client: Peer;
}

/** A session came to its end without the person's doing. */
export interface SessionEnded {
  readonly kind: 'session-ended';
  readonly cause: 'expired' | 'idle' | 'revoked' | 'superseded';
  readonly subject: Subject;
  readonly session: string;
}

/** Somebody revoked a session. Recorded durably before the answer. */
export interface SessionRevoked {
  readonly kind: 'session-revoked';
  readonly subject: Subject;
  readonly session: string;
  readonly by: Actor;
  readonly reason?: Optional<string>;
  /** Milliseconds until the last open stream of it was closed. */
  readonly enforceMs?: Optional<number>;
  readonly streamsClosed?: Optional<number>;
}

/** Somebody took away the access of a person, a device, a service or a connector. Recorded durably before the answer. */
export interface AccessRevoked {
  readonly kind: 'access-revoked';
  readonly target: { readonly kind: string; readonly id: string };
  /** The person or service, where a session of theirs ended by it. */
  readonly subject?: Optional<Subject>;
  readonly by: Actor;
  readonly reason?: Optional<string>;
  /** Sessions that ended by it, and exchanges closed at the gateway that was told. */
  readonly sessions: number;
  readonly streams: number;
}

/** A service got a token to ask an app in a person's name (RFC 8693). */
export interface TokenExchanged {
  readonly kind: 'token-exchanged';
  readonly service: Subject;
  readonly person: Subject;
  /** The person's session. */
  readonly session: string;
  readonly app: string;
  /** Methods; undefined for all that policy allows. */
  readonly scope?: Optional<readonly string[]>;
  /** Seconds. */
  readonly expiresIn: number;
  readonly client: Peer;
  readonly traceId: string;
}

/** A service was refused such a token. */
export interface TokenExchangeRefused {
  readonly kind: 'token-exchange-refused';
  /** As RFC 8693 and RFC 6749 have it: `invalid_request`, `invalid_target`, … */
  readonly code: string;
  /** What of it: `subject-expired`, `denied-person`, … */
  readonly reason: string;
  readonly client: Peer;
  readonly traceId: string;
}

export type SessionEvent =
  | LoginSucceeded
  | LoginFailed
  | Logout
  | SessionEnded
  | SessionRevoked
  | AccessRevoked
  | TokenExchanged
  | TokenExchangeRefused;
