// What may be recorded of a gateway itself: its policy, starts and stops, heartbeats, drills, and the state of its record.
import type { Actor, Optional } from './parties.ts';

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

/** A certificate of the gateway, or of a TPM maker that it trusts, will end soon. Sent 30 days, 7 days and a day before. */
export interface CertificateExpiring {
  readonly kind: 'certificate-expiring';
  /** `people`: the one that browsers see; of an authority its id; of a TPM maker's CA its name. */
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

export type GatewayEvent =
  | PolicyLoaded
  | PolicyRejected
  | GatewayStarted
  | GatewayStopped
  | Heartbeat
  | DrillStarted
  | DrillEnded
  | CertificateExpiring
  | RecordingInterrupted
  | LedgerCheckpoint
  | SiemTest;
