// Reads the firmware's event log, which says what went into the PCRs. The kernel gives it out whole or not at all.
import { readFileSync } from 'node:fs';
import { EVIDENCE_LIMITS } from '../wire/evidence.ts';

/** Where Linux shows it (Documentation/ABI/testing/securityfs). Root's, unless an administrator opens it. */
export const EVENT_LOG = '/sys/kernel/security/tpm0/binary_bios_measurements';

/** The log cannot be sent. `message` says what to do. */
export class EventLogError extends Error {
  readonly code: 'unreadable' | 'too-large';
  constructor(code: EventLogError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The log, empty where the firmware keeps none. @throws {EventLogError} */
export function readEventLog(path: string): Buffer {
  let log: Buffer;
  try {
    log = readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return Buffer.alloc(0);
    const message = `${path} cannot be read (${code}): let this user read it, as docs/attestation.md says`;
    throw new EventLogError('unreadable', message, { cause });
  }
  if (log.length > EVIDENCE_LIMITS.eventLog) {
    const message = `${path} has ${log.length} bytes; at most ${EVIDENCE_LIMITS.eventLog} can be attested`;
    throw new EventLogError('too-large', message);
  }
  return log;
}
