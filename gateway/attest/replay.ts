// Replays an event log: the PCR values that a TPM has if, and only if, it was extended as the log says.
import { hash } from 'node:crypto';
import type { Bank, EventLog } from './event-log.ts';
import { AttestationRefusal } from './refusal.ts';

const SIZES: Readonly<Record<Bank, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/**
 * PCR 0 to `count` - 1 of one bank. Undefined if the log has no digests for it. PCRs from 17 on begin otherwise on a
 * real TPM and are not replayed.
 */
export function replay(log: EventLog, bank: Bank, count: number): Buffer[] | undefined {
  if (!log.banks.includes(bank)) return undefined;
  const size = SIZES[bank];
  const pcrs = Array.from({ length: count }, () => Buffer.alloc(size));
  pcrs[0]?.writeUInt8(log.startupLocality, size - 1);
  const block = Buffer.alloc(2 * size);
  for (const { pcr, digests } of log.events) {
    const value = pcrs[pcr];
    const digest = digests[bank];
    if (value === undefined || digest === undefined) continue;
    block.set(value);
    block.set(digest, size);
    pcrs[pcr] = hash(bank, block, 'buffer');
  }
  return pcrs;
}

/** That the log leads to the values quoted, of the SHA-256 bank. Throws AttestationRefusal. */
export function checkReplay(log: EventLog, quoted: readonly Buffer[]): void {
  const replayed = replay(log, 'sha256', quoted.length);
  const same = replayed?.every((value, pcr) => quoted[pcr]?.equals(value) === true);
  if (same !== true) throw new AttestationRefusal('log-mismatch');
}

/** Firmware that measures ends every one of PCR 0 to 7 with a separator, so none keeps the value it begins with. */
export function checkExtended(log: EventLog, quoted: readonly Buffer[]): void {
  const measured = new Set(log.events.map(({ pcr }) => pcr));
  if (quoted.some((value, pcr) => !measured.has(pcr) || value.every((byte) => byte === 0))) {
    throw new AttestationRefusal('pcrs-unextended');
  }
}
