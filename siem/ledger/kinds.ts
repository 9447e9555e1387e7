// Which log a record belongs to, told from the bytes of its line alone, so that whoever checks them tells the same.
import type { EventKind } from '../event.ts';

export type LogName = 'changes' | 'decisions';
export const LOGS: readonly LogName[] = ['changes', 'decisions'];

/** What changes who may do what, and what admins ask for: logged before it takes effect, and kept for good. */
const CHANGES: ReadonlySet<string> = new Set<EventKind>([
  'policy-loaded',
  'change-accepted',
  'change-refused',
  'admin-action',
  'admin-action-ended',
  'break-glass-opened',
  'code-measured',
  'enrolment-token-created',
  'connector-enrolled',
  'connector-renewed',
  'authority-changed',
  'certificate-issued',
  'certificate-revoked',
  'ssh-certificate-issued',
  'session-revoked',
  'access-revoked',
  'gateway-started',
  'drill-started',
  'device-token-created',
  'device-enrolled',
  'device-approved',
  'device-revoked',
  'device-forgotten',
  'baseline-learnt',
  'baseline-approved',
  'baseline-removed',
]);

/** Bytes of the longest record of a change: the log keeps it whole, and says its length in 16 bits. */
export const MAX_ENTRY_BYTES = 0xffff;

export function isChange(kind: EventKind): boolean {
  return CHANGES.has(kind);
}

const ACTION = Buffer.from('"action":"');
const ACTION_LIMIT = 40;

/**
 * `event.action` of a line; empty if it has none. It is the first member of that name in a document, and no text in
 * it can look like one, because its quotes are escaped.
 */
export function actionOf(line: Buffer): string {
  const start = line.indexOf(ACTION);
  if (start === -1) return '';
  const from = start + ACTION.length;
  const text = line.toString('latin1', from, Math.min(line.length, from + ACTION_LIMIT));
  const end = text.indexOf('"');
  return end === -1 ? '' : text.slice(0, end);
}

export function logOf(action: string): LogName {
  return CHANGES.has(action) ? 'changes' : 'decisions';
}

/** Says what the log said of itself; it must not make the log speak again. */
export const CHECKPOINT_ACTION: EventKind = 'ledger-checkpoint';
