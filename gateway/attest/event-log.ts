// The firmware's record of what it measured (TCG PC Client Platform Firmware Profile, crypto-agile log), little-endian.
// Nothing in it is true by itself: only what replays to quoted PCRs is, and of that only what the digests cover.
import { ALG } from './algorithms.ts';
import { AttestationRefusal } from './refusal.ts';

export const EVENT = {
  NO_ACTION: 0x00000003,
  SEPARATOR: 0x00000004,
  EFI_VARIABLE_DRIVER_CONFIG: 0x80000001,
  EFI_VARIABLE_BOOT: 0x80000002,
  EFI_ACTION: 0x80000007,
  EFI_VARIABLE_BOOT2: 0x8000000c,
  EFI_VARIABLE_AUTHORITY: 0x800000e0,
} as const;

/** What a bank's digests are, by Node's name. */
export type Bank = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export interface LoggedEvent {
  readonly pcr: number;
  readonly type: number;
  readonly digests: Readonly<Partial<Record<Bank, Buffer>>>;
  readonly data: Buffer;
}

export interface EventLog {
  readonly banks: readonly Bank[];
  /** Where the TPM was started from: PCR 0 begins with it. */
  readonly startupLocality: number;
  /** In the order of measurement, without those that measure nothing. */
  readonly events: readonly LoggedEvent[];
}

/** Real logs have 20 to 100 KB; larger ones are only there to cost time. */
export const MAX_LOG: number = 256 * 1024;
const MAX_PCR = 23;
const MAX_BANKS = 8;
const MAX_DIGEST = 64;
const SPEC_ID = Buffer.from('Spec ID Event03\0');
const STARTUP_LOCALITY = Buffer.from('StartupLocality\0');

const BANKS = new Map<number, { readonly bank: Bank; readonly size: number }>([
  [ALG.SHA1, { bank: 'sha1', size: 20 }],
  [ALG.SHA256, { bank: 'sha256', size: 32 }],
  [ALG.SHA384, { bank: 'sha384', size: 48 }],
  [ALG.SHA512, { bank: 'sha512', size: 64 }],
]);

interface Algorithm {
  readonly id: number;
  readonly size: number;
  /** Undefined for banks that are only skipped, such as SM3's. */
  readonly bank: Bank | undefined;
}

/** Throws AttestationRefusal with a code beginning `log-`. */
export function parseEventLog(bytes: Buffer): EventLog {
  if (bytes.length === 0) throw new AttestationRefusal('log-missing');
  if (bytes.length > MAX_LOG) throw new AttestationRefusal('log-too-large');
  const cursor = new Cursor(bytes);
  const algorithms = readSpecId(cursor);
  const events: LoggedEvent[] = [];
  let startupLocality: number | undefined;
  while (!cursor.atEnd) {
    const event = readEvent(cursor, algorithms);
    if (event.type !== EVENT.NO_ACTION) {
      if (event.pcr > MAX_PCR) throw new AttestationRefusal('log-malformed');
      events.push(event);
    } else if (event.data.subarray(0, STARTUP_LOCALITY.length).equals(STARTUP_LOCALITY)) {
      // It says what PCR 0 began with, so it has to come before the first measurement, and once.
      if (startupLocality !== undefined || events.some(({ pcr }) => pcr === 0)) {
        throw new AttestationRefusal('log-malformed');
      }
      startupLocality = readLocality(event);
    }
  }
  const banks = algorithms.flatMap(({ bank }) => bank ?? []);
  return { banks, startupLocality: startupLocality ?? 0, events };
}

/** The first entry has the form of old logs, and tells which digests the others have. */
function readSpecId(cursor: Cursor): Algorithm[] {
  const pcr = cursor.u32();
  const type = cursor.u32();
  cursor.bytes(20);
  const data = new Cursor(cursor.bytes(cursor.u32()));
  if (pcr !== 0 || type !== EVENT.NO_ACTION || !data.bytes(SPEC_ID.length).equals(SPEC_ID)) {
    throw new AttestationRefusal('log-malformed');
  }
  data.bytes(8); // Platform class, version of the specification, size of a machine word.
  const count = data.u32();
  if (count === 0 || count > MAX_BANKS) throw new AttestationRefusal('log-malformed');
  const algorithms: Algorithm[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = data.u16();
    const size = data.u16();
    const known = BANKS.get(id);
    const odd = size === 0 || size > MAX_DIGEST || (known !== undefined && known.size !== size);
    if (odd || algorithms.some((other) => other.id === id)) throw new AttestationRefusal('log-malformed');
    algorithms.push({ id, size, bank: known?.bank });
  }
  data.bytes(data.u8());
  if (!data.atEnd) throw new AttestationRefusal('log-malformed');
  return algorithms;
}

/** TCG_PCR_EVENT2: one digest of each algorithm, in whatever order. */
function readEvent(cursor: Cursor, algorithms: readonly Algorithm[]): LoggedEvent {
  const pcr = cursor.u32();
  const type = cursor.u32();
  const count = cursor.u32();
  if (count !== algorithms.length) throw new AttestationRefusal('log-malformed');
  const digests: Partial<Record<Bank, Buffer>> = {};
  let seen = 0;
  for (let index = 0; index < count; index += 1) {
    const id = cursor.u16();
    const position = algorithms.findIndex((algorithm) => algorithm.id === id);
    const algorithm = algorithms[position];
    if (algorithm === undefined || (seen & (1 << position)) !== 0) {
      throw new AttestationRefusal('log-malformed');
    }
    seen |= 1 << position;
    const digest = cursor.bytes(algorithm.size);
    if (algorithm.bank !== undefined) digests[algorithm.bank] = digest;
  }
  const data = cursor.bytes(cursor.u32());
  return { pcr, type, digests, data };
}

/** 0, 3, or 4 where a hardware root of trust measured first. */
function readLocality({ pcr, data }: LoggedEvent): number {
  const locality = data[STARTUP_LOCALITY.length];
  const known = locality === 0 || locality === 3 || locality === 4;
  if (pcr !== 0 || !known || data.length !== STARTUP_LOCALITY.length + 1) {
    throw new AttestationRefusal('log-malformed');
  }
  return locality;
}

class Cursor {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#step(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#step(4));
  }

  bytes(size: number): Buffer {
    const start = this.#step(size);
    return this.#bytes.subarray(start, start + size);
  }

  #step(size: number): number {
    if (size > this.#bytes.length - this.#offset) throw new AttestationRefusal('log-truncated');
    const start = this.#offset;
    this.#offset += size;
    return start;
  }
}
