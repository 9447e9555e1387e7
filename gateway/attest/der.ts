// Reads DER (X.690): definite, shortest lengths only, and nothing after the end. It knows tags, not meanings.

export const DER = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** Not DER, or not the structure that was expected. Callers say what of. */
export class DerError extends Error {
  readonly code = 'der-malformed';
}

export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content, as they were signed or hashed. */
  readonly raw: Buffer;
}

/** Walks over the elements of one constructed value. */
export class DerReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** The next element, or undefined if there is none or it has another tag. */
  optional(tag: number): Element | undefined {
    return this.#bytes[this.#offset] === tag ? this.any() : undefined;
  }

  /** Throws DerError unless the next element has this tag. */
  next(tag: number): Element {
    const element = this.optional(tag);
    if (element === undefined) throw new DerError(`tag ${tag.toString(16)} expected at ${this.#offset}`);
    return element;
  }

  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  any(): Element {
    const bytes = this.#bytes;
    const start = this.#offset;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerError('cut short');
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const size = first - 0x80;
      // More than three bytes is more than any limit lets in; none is the indefinite form.
      if (size === 0 || size > 3 || at + size > bytes.length) throw new DerError('length out of range');
      length = bytes.readUIntBE(at, size);
      at += size;
      if (length < 0x80 || length < 2 ** (8 * (size - 1))) throw new DerError('length not in shortest form');
    }
    if (length > bytes.length - at) throw new DerError('cut short');
    this.#offset = at + length;
    return { tag, content: bytes.subarray(at, at + length), raw: bytes.subarray(start, at + length) };
  }

  end(): void {
    if (!this.atEnd) throw new DerError('bytes left over');
  }
}

/** The one element that `bytes` are. */
export function wholeElement(bytes: Buffer, tag: number): Element {
  const reader = new DerReader(bytes);
  const element = reader.next(tag);
  reader.end();
  return element;
}

/** BOOLEAN: DER allows FF and 00 only. */
export function booleanOf({ content }: Element): boolean {
  const [value] = content;
  if (content.length !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('not a boolean');
  return value === 0xff;
}

/** A small, not negative INTEGER. */
export function smallInteger({ content }: Element): number {
  const [value] = content;
  if (content.length !== 1 || value === undefined || value > 0x7f) throw new DerError('not a small integer');
  return value;
}

/** An INTEGER of any size, such as a serial number, as hex: in its one shortest form, so that it can be compared. */
export function integerHex({ content }: Element): string {
  const [first, second = 0] = content;
  const padded = content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
  if (first === undefined || padded) throw new DerError('not an integer in shortest form');
  return content.toString('hex');
}

/** The bytes of a BIT STRING of whole bytes. */
export function bitStringBytes({ content }: Element): Buffer {
  if (content[0] !== 0) throw new DerError('not a bit string of whole bytes');
  return content.subarray(1);
}

/** The first 16 named bits of a BIT STRING, bit 0 as 0x8000. */
export function namedBits({ content }: Element): number {
  const [unused, first = 0, second = 0] = content;
  if (unused === undefined || unused > 7 || (unused > 0 && content.length === 1)) {
    throw new DerError('not a bit string');
  }
  return (first << 8) | second;
}

const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** UTCTime or GeneralizedTime as RFC 5280 (section 4.1.2.5) has them; epoch milliseconds. */
export function timeOf(reader: DerReader): number {
  const utc = reader.optional(DER.UTC_TIME);
  let text = (utc ?? reader.next(DER.GENERALIZED_TIME)).content.toString('latin1');
  if (utc !== undefined) text = (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text;
  const fields = TIME.exec(text);
  if (fields === null) throw new DerError('not a time');
  const [year = 0, month = 0, ...rest] = fields.slice(1).map(Number);
  const [day = 0, hour = 0, minute = 0, second = 0] = rest;
  const time = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC turns February 30th into March 1st; the text has to come back as it was.
  if (!new Date(time).toISOString().startsWith(text.replace(TIME, '$1-$2-$3T$4:$5:$6'))) {
    throw new DerError('not a time');
  }
  return time;
}

/** Dotted text to the content bytes of an OBJECT IDENTIFIER, as hex: how identifiers are compared here. */
export function oid(dotted: string): string {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return [first * 40 + second, ...rest]
    .map((arc) => {
      let hex = (arc & 0x7f).toString(16).padStart(2, '0');
      for (let left = arc >>> 7; left > 0; left >>>= 7) hex = ((left & 0x7f) | 0x80).toString(16) + hex;
      return hex;
    })
    .join('');
}
