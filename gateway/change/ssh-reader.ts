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

  string(): Buffer {
    return this.take(this.uint32());
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
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
