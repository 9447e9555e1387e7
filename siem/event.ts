// Everything that may be recorded, in this project's own words: one interface per kind of event.
// An event must never hold a secret: no cookie, token, header value or query value (the mapper drops the latter).
import type { Decision, Explanation } from '#policy/decision';
import type { AccessRequest, Login, Subject } from '#policy/input';
import type { ChangeEvent } from './change-event.ts';
import type { DeviceEvent } from './device-event.ts';
import type { PkiEvent } from './pki-event.ts';

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
  /** How many addresses, at least. An IPv6 network of 64 bits counts as one. */
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

export interface EnrolmentTokenCreated {
  readonly kind: 'enrolment-token-created';
  readonly connector: ConnectorRef;
  readonly by: Actor;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface ConnectorEnrolled {
  readonly kind: 'connector-enrolled';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly client: Peer;
}

export interface ConnectorEnrolmentRefused {
  readonly kind: 'connector-enrolment-refused';
  /** Stable code: `token-unknown`, `token-expired`, `request-invalid`, … */
  readonly code: string;
  /** As claimed; unproved. */
  readonly connector?: Optional<ConnectorRef>;
  readonly client: Peer;
}

export interface ConnectorRenewed {
  readonly kind: 'connector-renewed';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly replaces?: Optional<CertificateRef>;
  readonly client: Peer;
}

export interface ConnectorConnected {
  readonly kind: 'connector-connected';
  readonly connector: ConnectorRef;
  readonly certificate: CertificateRef;
  readonly client: Peer;
  /** Tells several links of one connector apart. */
  readonly link?: Optional<string>;
  /** Apps it says it can reach; offered, not granted. */
  readonly apps?: Optional<readonly string[]>;
}

export interface ConnectorDisconnected {
  readonly kind: 'connector-disconnected';
  readonly connector: ConnectorRef;
  readonly client: Peer;
  readonly link?: Optional<string>;
  /** `closed`, `silent`, `replaced`, `protocol-error`, `revoked`, … */
  readonly reason: string;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  readonly durationMs: number;
  readonly streamsLost: number;
}

/** A connector was turned away: no or revoked certificate, unknown name, protocol violation. */
export interface ConnectorRefused {
  readonly kind: 'connector-refused';
  readonly code: string;
  readonly connector?: Optional<ConnectorRef>;
  readonly certificate?: Optional<CertificateRef>;
  readonly client: Peer;
}

export interface PolicyLoaded {
  readonly kind: 'policy-loaded';
  readonly file: string;
  /** SHA-256, hex. */
  readonly hash: string;
  readonly previousHash?: Optional<string>;
  readonly rules: number;
  readonly by: Actor;
}

/** A policy document did not load; the one before it, if any, stays in force. */
export interface PolicyRejected {
  readonly kind: 'policy-rejected';
  readonly file: string;
  readonly hash?: Optional<string>;
  /** One per problem, with line and column. */
  readonly problems: readonly string[];
  readonly keptHash?: Optional<string>;
  readonly by: Actor;
}

export interface GatewayStarted {
  readonly kind: 'gateway-started';
  /** SHA-256 of the configuration in force, hex. */
  readonly configHash?: Optional<string>;
  readonly policyHash?: Optional<string>;
  /** SHA-256 over the gateway's own program files, hex. */
  readonly codeHash?: Optional<string>;
  /** Id of the signed change in force. */
  readonly changeId?: Optional<string>;
  /** `process.version`. */
  readonly runtime: string;
  /** `process.versions.tz`: which time-zone rules decisions use. */
  readonly timezones?: Optional<string>;
  /** Bytes of a torn last record that were cut when the outbox opened. */
  readonly repairedBytes: number;
}

export interface GatewayStopped {
  readonly kind: 'gateway-stopped';
  /** `SIGTERM`, `SIGINT`, `error`, … */
  readonly reason: string;
  readonly uptimeMs: number;
}

/** How one sink stands. */
export interface SinkStanding {
  readonly name: string;
  readonly type: string;
  /** Bytes of the outbox it has not acknowledged. */
  readonly lagBytes: number;
  /** Seconds between now and the oldest unacknowledged record. */
  readonly lagSeconds: number;
  readonly delivered: number;
  readonly deadLetters: number;
  readonly retries: number;
  readonly healthy: boolean;
}

/** Sent at a fixed interval: its absence is how a SIEM notices a silent gateway. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly intervalMs: number;
  readonly uptimeMs: number;
  readonly outbox: { readonly bytes: number; readonly quotaBytes: number; readonly refused: number };
  readonly sinks: readonly SinkStanding[];
  readonly connectors?: Optional<number>;
  readonly sessions?: Optional<number>;
  readonly policyHash?: Optional<string>;
}

/** Somebody rehearses a fault on this gateway: what looks like an outage for these seconds is none. */
export interface DrillStarted {
  readonly kind: 'drill-started';
  /** `state`, `idp`, `siem`, `connector`, `clock`, `disk`, `policy` or `certificate`. */
  readonly fault: string;
  readonly seconds: number;
  readonly by: Actor;
}

/** The rehearsal of a fault is over: what is seen from now on is meant. */
export interface DrillEnded {
  readonly kind: 'drill-ended';
  readonly fault: string;
  readonly seconds: number;
  /** All that was required was seen. */
  readonly held: boolean;
  readonly findings: readonly { readonly required: string; readonly seen: string; readonly held: boolean }[];
  readonly by: Actor;
}

/** A certificate of the gateway will end soon. Sent 30 days, 7 days and a day before. */
export interface CertificateExpiring {
  readonly kind: 'certificate-expiring';
  /** `people`: the one that browsers see. */
  readonly certificate: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
  /** 30, 7 or 1. */
  readonly days: number;
}

/** Recording failed for a while (disk full, quota, I/O error), and works again. Nothing was allowed meanwhile. */
export interface RecordingInterrupted {
  readonly kind: 'recording-interrupted';
  /** Code of the first failure: `quota`, `no-space`, `io`. */
  readonly code: string;
  /** Epoch milliseconds of the first and last refused record. */
  readonly from: number;
  readonly to: number;
  readonly refused: number;
}

/** A transparency log signed a new tree head: whoever keeps this document is a witness off the host. */
export interface LedgerCheckpoint {
  readonly kind: 'ledger-checkpoint';
  readonly log: 'decisions' | 'changes';
  /** Number of leaves. */
  readonly size: number;
  /** RFC 6962 root hash, hex. */
  readonly root: string;
  /** The whole signed note. */
  readonly note: string;
}

/** A marked event that `siem test` sends to see it arrive. */
export interface SiemTest {
  readonly kind: 'siem-test';
  readonly sink: string;
  readonly by: Actor;
}

export type SallyportEvent =
  | AccessDecided
  | RequestRefused
  | RefusalsSummed
  | StreamClosed
  | LoginSucceeded
  | LoginFailed
  | Logout
  | SessionEnded
  | SessionRevoked
  | AccessRevoked
  | TokenExchanged
  | TokenExchangeRefused
  | EnrolmentTokenCreated
  | ConnectorEnrolled
  | ConnectorEnrolmentRefused
  | ConnectorRenewed
  | ConnectorConnected
  | ConnectorDisconnected
  | ConnectorRefused
  | PolicyLoaded
  | PolicyRejected
  | GatewayStarted
  | GatewayStopped
  | Heartbeat
  | RecordingInterrupted
  | CertificateExpiring
  | DrillStarted
  | DrillEnded
  | LedgerCheckpoint
  | SiemTest
  | ChangeEvent
  | DeviceEvent
  | PkiEvent;

export type EventKind = SallyportEvent['kind'];

/** The event of one kind. */
export type EventOf<K extends EventKind> = Extract<SallyportEvent, { readonly kind: K }>;
