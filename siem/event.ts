// Everything that may be recorded, in this project's own words: one interface per kind of event.
// An event must never hold a secret: no cookie, token, header value or query value (the mapper drops the latter).
import type { Decision, Explanation } from '#policy/decision';
import type { AccessRequest, KeyOrigin, Subject } from '#policy/input';
import type { ChangeEvent } from './change-event.ts';
import type { ConnectorEvent } from './connector-event.ts';
import type { DeviceEvent } from './device-event.ts';
import type { GatewayEvent } from './gateway-event.ts';
import type { PkiEvent } from './pki-event.ts';
import type { SessionEvent } from './session-event.ts';

type Optional<T> = T | undefined;

/** The near end of a connection, as the socket shows it; never what a header claims. */
export interface Peer {
  /** Text form of the address; IPv4-mapped addresses are written as IPv4. Empty if the socket is gone. */
  readonly address: string;
  readonly port?: Optional<number>;
  /** ISO 3166-1 alpha-2; `private` for addresses that have no country. */
  readonly country?: Optional<string>;
  readonly asn?: Optional<number>;
  readonly tls?: Optional<TlsFacts>;
}

/** What the TLS handshake showed. */
export interface TlsFacts {
  /** As Node names it: `TLSv1.3`. */
  readonly version?: Optional<string>;
  readonly cipher?: Optional<string>;
  readonly serverName?: Optional<string>;
  readonly ja4?: Optional<string>;
  /** SHA-256 of the client certificate's DER, hex. */
  readonly certificateSha256?: Optional<string>;
}

/** One HTTP request. Give it as it came: the mapper removes query values and reduces the referrer. */
export interface HttpRequest {
  readonly method: string;
  /** Without port. */
  readonly host: string;
  readonly port?: Optional<number>;
  readonly path: string;
  /** Raw query without `?`; only the names of its parameters are recorded. */
  readonly query?: Optional<string>;
  /** `1.1`, `2`. */
  readonly httpVersion?: Optional<string>;
  readonly userAgent?: Optional<string>;
  /** Raw Referer; only its origin is recorded. */
  readonly referrer?: Optional<string>;
  /** Bytes of the body announced by the client. */
  readonly bodyBytes?: Optional<number>;
}

/** Who did an administrative thing. */
export interface Actor {
  /** `user`: a signed-in admin; `operator`: someone at the command line; `gateway`: the gateway by itself. */
  readonly kind: 'user' | 'operator' | 'gateway';
  readonly id: string;
  readonly name?: Optional<string>;
}

export interface ConnectorRef {
  readonly name: string;
  readonly version?: Optional<string>;
}

export interface CertificateRef {
  /** Serial number, hex. */
  readonly serial: string;
  /** SHA-256 of the DER, hex. */
  readonly sha256?: Optional<string>;
  /** Epoch milliseconds. */
  readonly notAfter?: Optional<number>;
  /** Where its key was proved to be; absent for those of authorities. */
  readonly key?: Optional<KeyOrigin>;
}

/** That a service asks in a person's name: through whom the name came to it, the last one first. */
export interface ActingOf {
  readonly chain: readonly string[];
  readonly person: Subject;
  /** The transaction, the same at every hop. */
  readonly transaction: string;
}

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
  /** Of refusals at the admin socket: nobody who is known. */
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
  /** `completed`, `client-closed`, `connector-lost`, `revoked`, `policy-changed`, `timeout`, … */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** If the gateway ended it: milliseconds from the revocation, or from the review that found it, to both sides closed. */
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
