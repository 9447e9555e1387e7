// Reads and writes the data types of RFC 4251 section 5: every length is checked before a byte is taken.

/** Bytes that are not what SSH's formats say. */
export class SshFormatError extends Error {
  readonly code = 'ssh-format';
}

export class SshReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new SshFormatError(`${length} bytes expected at ${this.#offset}`);
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.take(this.uint32());
  }

  /** Whether every byte was read. */
  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** What has not been read yet. */
  rest(): Buffer {
    return this.take(this.#bytes.length - this.#offset);
  }

  text(): string {
    return this.string().toString('latin1');
  }

  /** A positive integer in exactly `size` bytes, left-padded. */
  positive(size: number): Buffer {
    const bytes = this.string();
    const digits = bytes[0] === 0 ? bytes.subarray(1) : bytes;
    if (digits.length === 0 || digits.length > size || (bytes[0] ?? 0) > 0x7f)
      throw new SshFormatError(`a positive integer of at most ${size} bytes expected`);
    return Buffer.concat([Buffer.alloc(size - digits.length), digits]);
  }

  /** Throws unless every byte was read. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw new SshFormatError(`${left} bytes too many`);
  }
}

export function sshString(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([sshUint32(bytes.length), bytes]);
}

export function sshUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function sshUint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** A positive integer, without needless zeros. */
export function sshInteger(digits: Buffer): Buffer {
  const first = digits.findIndex((byte) => byte !== 0);
  const bare = first === -1 ? Buffer.alloc(0) : digits.subarray(first);
  return sshString((bare[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.alloc(1), bare]) : bare);
}
