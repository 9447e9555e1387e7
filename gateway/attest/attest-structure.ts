// What a TPM says when it is asked to vouch (TPMS_ATTEST): a quote of PCRs, or the certification of a key.
import { GENERATED, TAG } from './algorithms.ts';
import { Reader } from './reader.ts';
import { AttestationRefusal } from './refusal.ts';

export interface AttestHeader {
  readonly qualifiedSigner: Buffer;
  readonly extraData: Buffer;
  /** Milliseconds the TPM was powered since it was last cleared. */
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  /** False if the clock may have gone back after an unclean shutdown. */
  readonly safe: boolean;
  readonly firmware: bigint;
}

export interface PcrSelection {
  readonly bank: number;
  /** PCR n is bit n & 7 of byte n >> 3. */
  readonly bitmap: Buffer;
}

export interface QuoteStructure extends AttestHeader {
  readonly selections: readonly PcrSelection[];
  readonly pcrDigest: Buffer;
}

export interface CertifyStructure extends AttestHeader {
  readonly name: Buffer;
}

/** TPMs have a handful of banks; whoever claims more wants memory. */
const MAX_SELECTIONS = 16;
/** PCR_SELECT_MAX: a bitmap for 32 PCRs is more than any TPM has. */
const MAX_BITMAP = 4;

/** Throws AttestationRefusal: `attest-…`, or `selection-count` for an impossible number of banks. */
export function parseQuote(bytes: Buffer): QuoteStructure {
  const reader = open(bytes);
  const header = readHeader(reader, TAG.QUOTE);
  const count = reader.u32();
  if (count > MAX_SELECTIONS) throw new AttestationRefusal('selection-count');
  const selections: PcrSelection[] = [];
  for (let index = 0; index < count; index += 1) {
    const bank = reader.u16();
    const size = reader.u8();
    if (size > MAX_BITMAP) throw new AttestationRefusal('selection-superset');
    selections.push({ bank, bitmap: reader.bytes(size) });
  }
  const pcrDigest = reader.sized();
  reader.end();
  return { ...header, selections, pcrDigest };
}

/** Throws AttestationRefusal: `attest-…`. */
export function parseCertify(bytes: Buffer): CertifyStructure {
  const reader = open(bytes);
  const header = readHeader(reader, TAG.CERTIFY);
  const name = reader.sized();
  reader.sized(); // The key's qualified name: it depends on its parent, which is free.
  reader.end();
  return { ...header, name };
}

function open(bytes: Buffer): Reader {
  return new Reader(bytes, 'attest-truncated', 'attest-trailing');
}

function readHeader(reader: Reader, type: number): AttestHeader {
  // A restricted key signs foreign data too, but never data that begin with this.
  if (reader.u32() !== GENERATED) throw new AttestationRefusal('attest-magic');
  if (reader.u16() !== type) throw new AttestationRefusal('attest-type');
  const qualifiedSigner = reader.sized();
  const extraData = reader.sized();
  const clock = reader.u64();
  const resetCount = reader.u32();
  const restartCount = reader.u32();
  const safe = reader.u8();
  if (safe > 1) throw new AttestationRefusal('attest-safe-byte');
  const firmware = reader.u64();
  return { qualifiedSigner, extraData, clock, resetCount, restartCount, safe: safe === 1, firmware };
}
