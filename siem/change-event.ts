// What may be recorded of who changes a gateway: signed changes, actions of admins, the code that was measured.
import type { Actor, Optional } from './parties.ts';

/** A signed change, as its statement names it. */
export interface ChangeRef {
  /** SHA-256 of the statement, hex. */
  readonly id: string;
  readonly sequence: number;
  readonly repository: string;
  readonly branch: string;
  readonly commit: string;
  readonly author: string;
  readonly subject: string;
}

/** A signed change was found good. Recorded durably before it takes effect. */
export interface ChangeAccepted {
  readonly kind: 'change-accepted';
  readonly change: ChangeRef;
  /** Id of the change that was in force. */
  readonly previous?: Optional<string>;
  /** Names of the people whose signatures counted. */
  readonly signers: readonly string[];
  /** SHA-256 of each file, hex, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly by: Actor;
}

/** A change, or an edit that no change holds, was not taken; what was in force stays in force. */
export interface ChangeRefused {
  readonly kind: 'change-refused';
  /** Stable code: `unsigned`, `unknown-signer`, `rolled-back`, … */
  readonly code: string;
  readonly message: string;
  /** As claimed; nobody vouches for it. */
  readonly change?: Optional<ChangeRef>;
  readonly file?: Optional<string>;
  /** Id of the change that stays in force. */
  readonly kept?: Optional<string>;
  readonly by: Actor;
}

/** Somebody asked the admin API for something. Recorded durably before it is done. */
export interface AdminAction {
  readonly kind: 'admin-action';
  readonly verdict: 'allowed' | 'refused';
  /** On refusal: `role-missing`, `signature-missing`, … */
  readonly code?: Optional<string>;
  readonly by: Actor;
  /** The roles of whoever asks. */
  readonly roles: readonly string[];
  /** Method and address pattern: `POST /v1/revocations`. */
  readonly route: string;
  /** The address itself, without its query. */
  readonly path: string;
  /** Under a break-glass account. */
  readonly breakGlass: boolean;
}

/** What came of an action that was allowed. */
export interface AdminActionEnded {
  readonly kind: 'admin-action-ended';
  /** Event id of the action. */
  readonly action: string;
  readonly by: Actor;
  readonly route: string;
  /** HTTP status of the answer. */
  readonly status: number;
  readonly durationMs: number;
  readonly breakGlass: boolean;
}

/** An account for emergencies was opened. Recorded durably before it may do anything. */
export interface BreakGlassOpened {
  readonly kind: 'break-glass-opened';
  readonly account: string;
  readonly reason: string;
  /** Epoch milliseconds at which it closes by itself, for good. */
  readonly until: number;
  readonly by: Actor;
}

/** The gateway's own program files were compared with the signed manifest of their release. */
export interface CodeMeasured {
  readonly kind: 'code-measured';
  readonly verdict: 'as-released' | 'drifted' | 'unproven';
  /** With `unproven`: why the manifest does not count. */
  readonly code?: Optional<string>;
  /** Of the release. */
  readonly version?: Optional<string>;
  /** SHA-256 of the manifest, hex. */
  readonly manifest?: Optional<string>;
  readonly signers: readonly string[];
  /** Files that are different, gone, or there without being in the release. */
  readonly changed: readonly string[];
  readonly missing: readonly string[];
  readonly added: readonly string[];
}

export type ChangeEvent =
  | ChangeAccepted
  | ChangeRefused
  | AdminAction
  | AdminActionEnded
  | BreakGlassOpened
  | CodeMeasured;
