// Writes DER (X.690) for certificates, requests for them, lists of revoked ones and keys: the few types these need, each in
// its one right form.

/** One element: tag, length, content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => element(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => element(0x31, ...parts);
export const octets = (...parts: readonly Uint8Array[]): Buffer => element(0x04, ...parts);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text));
/** A BIT STRING of whole bytes. */
export const bits = (content: Uint8Array): Buffer => element(0x03, Buffer.from([0]), content);
export const yes: Buffer = element(0x01, Buffer.from([0xff]));
/** A context-specific type: `constructed` for one that holds elements. */
export const context = (number: number, content: Uint8Array, constructed = false): Buffer =>
  element((constructed ? 0xa0 : 0x80) | number, content);

/** Named bits, bit 0 as 0x8000; DER leaves out the zeros at the end. */
export function namedBits(value: number): Buffer {
  const bytes = Buffer.from([value >> 8, value & 0xff]);
  const used = value === 0 ? 0 : 16 - Math.log2(value & -value);
  const length = Math.ceil(used / 8);
  return element(0x03, Buffer.from([length * 8 - used]), bytes.subarray(0, length));
}

/** A number that is not negative: an integer, or its bytes. */
export function integer(value: number | Uint8Array): Buffer {
  const hex = typeof value === 'number' ? value.toString(16) : Buffer.from(value).toString('hex');
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const shortest = bytes.subarray(start);
  return element(0x02, ...((shortest[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), shortest);
}

export function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift((left % 128) | 0x80);
    }
    return groups;
  });
  return element(0x06, Buffer.from(bytes));
}

/** RFC 5280, section 4.1.2.5: two-digit years to 2049, four digits after. `at`: epoch milliseconds. */
export function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replace(/\.\d+Z$|[-:T]/g, '');
  return digits < '2050'
    ? element(0x17, Buffer.from(`${digits.slice(2)}Z`))
    : element(0x18, Buffer.from(`${digits}Z`));
}

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** An ECDSA signature as certificates have it (RFC 3279, section 2.2.3). `signature`: r and s, of the same length. */
export function ecdsaSignature(signature: Uint8Array): Buffer {
  const half = signature.length / 2;
  return sequence(integer(signature.subarray(0, half)), integer(signature.subarray(half)));
}
