// UEFI variables as firmware measures them (UEFI_VARIABLE_DATA): read only when the digest proves the data, since an
// event log may be rewritten by whoever controls the machine.
import { hash } from 'node:crypto';
import type { LoggedEvent } from './event-log.ts';

export interface EfiVariable {
  /** GUID in the order of its bytes, hex. */
  readonly guid: string;
  readonly name: string;
  readonly data: Buffer;
}

const HEADER = 32;

/** Undefined unless all bytes are accounted for. */
export function parseVariable(bytes: Buffer): EfiVariable | undefined {
  if (bytes.length < HEADER) return undefined;
  const characters = bytes.readBigUInt64LE(16);
  const size = bytes.readBigUInt64LE(24);
  if (BigInt(bytes.length - HEADER) !== characters * 2n + size) return undefined;
  const nameEnd = HEADER + Number(characters) * 2;
  return {
    guid: bytes.toString('hex', 0, 16),
    name: bytes.toString('utf16le', HEADER, nameEnd),
    data: bytes.subarray(nameEnd),
  };
}

/** True if the digests of the event are those of `data`: of the SHA-256 bank, which is the one quoted. */
export function measures(event: LoggedEvent, data: Buffer): boolean {
  return event.digests.sha256?.equals(hash('sha256', data, 'buffer')) === true;
}
