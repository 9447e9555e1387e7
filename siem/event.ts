// Everything that may be recorded, in this project's own words: one interface per kind of event.
// An event must never hold a secret: no cookie, token, header value or query value (the mapper drops the latter).
import type { Decision, Explanation } from '#policy/decision';
import type { AccessRequest, Subject } from '#policy/input';
import type { ChangeEvent } from './change-event.ts';
import type { ConnectorEvent } from './connector-event.ts';
import type { DeviceEvent } from './device-event.ts';
import type { GatewayEvent } from './gateway-event.ts';
import type { ActingOf, Actor, ConnectorRef, HttpRequest, Optional, Peer } from './parties.ts';
import type { PkiEvent } from './pki-event.ts';
import type { SessionEvent } from './session-event.ts';

/** One access decision. Its event id is the decision id that the person sees. */
export interface AccessDecided {
  readonly kind: 'access-decided';
  readonly decision: Decision;
  /** SHA-256 of the policy document, hex. */
  readonly policyHash: string;
  /** Recorded whole: replay and explanation decide again from it. */
  readonly input: AccessRequest;
  /** On deny. */
  readonly explanation?: Optional<Explanation>;
  readonly client: Peer;
  readonly request?: Optional<HttpRequest>;
  /** The session's handle, never the cookie. */
  readonly session?: Optional<string>;
  /** W3C trace id, 32 hex digits. */
  readonly traceId?: Optional<string>;
  readonly connector?: Optional<ConnectorRef>;
  /** Both the service's decision and the person's have it. */
  readonly acting?: Optional<ActingOf>;
  /** HTTP status of the page or answer the gateway itself gave, when it did. */
  readonly status?: Optional<number>;
}

/** The strict front turned a request away before anybody was identified. */
export interface RequestRefused {
  readonly kind: 'request-refused';
  /** Stable code of the violation: `duplicate-host`, `sni-mismatch`, … */
  readonly code: string;
  readonly status: number;
  readonly client: Peer;
  /** As the client sent them. */
  readonly host?: Optional<string>;
  readonly method?: Optional<string>;
  /** Raw request target; the query's values are not recorded. */
  readonly target?: Optional<string>;
}

/** Refusals that were not recorded one by one, because there were too many. */
export interface RefusalsSummed {
  readonly kind: 'refusals-summed';
  /** Left out when they are of several addresses. */
  readonly client?: Optional<Peer>;
  /** Of refusals at the admin socket: an admin who asked for too much, or nobody who is known. */
  readonly by?: Optional<Actor>;
  /** How many addresses, at least; none at the admin socket. An IPv6 network of 64 bits counts as one. */
  readonly addresses: number;
  readonly count: number;
  /** How many had which code, most first. */
  readonly byCode: readonly { readonly code: string; readonly count: number }[];
  /** Epoch milliseconds of the first and the last. */
  readonly from: number;
  readonly to: number;
}

/** An allowed stream (request, upgrade or TCP) ended. */
export interface StreamClosed {
  readonly kind: 'stream-closed';
  /** Id of the access-decided event that allowed it. */
  readonly decisionId: string;
  readonly app: string;
  readonly subject?: Optional<Subject>;
  readonly session?: Optional<string>;
  readonly client: Peer;
  readonly connector?: Optional<ConnectorRef>;
  readonly traceId?: Optional<string>;
  /** `completed`, `client-aborted`, `connector-lost`, `gateway-stopped`, `revoked`, `policy-changed`, `app-timeout`, … */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** If it was no longer allowed: milliseconds from the revocation, or from the review that found it, to both sides closed. */
  readonly enforceMs?: Optional<number>;
  readonly bytesFromClient: number;
  readonly bytesToClient: number;
  readonly status?: Optional<number>;
}

export type SallyportEvent =
  | AccessDecided
  | RequestRefused
  | RefusalsSummed
  | StreamClosed
  | ChangeEvent
  | DeviceEvent
  | SessionEvent
  | ConnectorEvent
  | GatewayEvent
  | PkiEvent;

export type EventKind = SallyportEvent['kind'];

/** The event of one kind. */
export type EventOf<K extends EventKind> = Extract<SallyportEvent, { readonly kind: K }>;
