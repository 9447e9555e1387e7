// Reads the big-endian structures of a TPM (TPM 2.0 Part 2, marshalling): never past the end, never leaving bytes over.
import type { ReasonCode } from './reasons.ts';
import { AttestationRefusal } from './refusal.ts';

export class Reader {
  readonly #bytes: Buffer;
  readonly #truncated: ReasonCode;
  readonly #trailing: ReasonCode;
  #offset = 0;

  /** The codes with which a structure that is too short or too long is refused. */
  constructor(bytes: Buffer, truncated: ReasonCode, trailing: ReasonCode) {
    this.#bytes = bytes;
    this.#truncated = truncated;
    this.#trailing = trailing;
  }

  get rest(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#step(1));
  }

  u16(): number {
    return this.#bytes.readUInt16BE(this.#step(2));
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#step(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#step(8));
  }

  bytes(size: number): Buffer {
    const start = this.#step(size);
    return this.#bytes.subarray(start, start + size);
  }

  /** TPM2B: a 16-bit length and that many bytes. */
  sized(): Buffer {
    return this.bytes(this.u16());
  }

  end(): void {
    if (this.rest > 0) throw new AttestationRefusal(this.#trailing);
  }

  #step(size: number): number {
    if (size > this.rest) throw new AttestationRefusal(this.#truncated);
    const start = this.#offset;
    this.#offset += size;
    return start;
  }
}
