// Parses IPv4 and IPv6 text into four 32-bit words without allocating; anything but a plain address (a port, a
// zone, an octal or short form) is no address.

/** A parsed address that is filled again and again. `family` is 0 when the last text was no address. */
export class Address {
  family: 0 | 4 | 6 = 0;
  /** The words from the most significant; IPv4 uses only the last. */
  w0 = 0;
  w1 = 0;
  w2 = 0;
  w3 = 0;
  readonly #groups: Uint16Array = new Uint16Array(8);

  /** Fills this address from `text`; IPv4-mapped addresses (`::ffff:192.0.2.1`) become IPv4. */
  parse(text: string): boolean {
    this.family = 0;
    const v4 = parseV4(text, 0);
    if (v4 >= 0) {
      this.#set(4, 0, 0, 0, v4);
      return true;
    }
    if (text.length < 2 || text.length > 45 || !this.#parseGroups(text)) return false;
    const g = this.#groups;
    const [w0, w1, w2, w3] = [word(g, 0), word(g, 2), word(g, 4), word(g, 6)];
    if (w0 === 0 && w1 === 0 && w2 === 0xffff) this.#set(4, 0, 0, 0, w3);
    else this.#set(6, w0, w1, w2, w3);
    return true;
  }

  #set(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): void {
    this.family = family;
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }

  /** Eight groups of RFC 4291 section 2.2: at most one `::`, and a dotted quad only as the last 32 bits. */
  #parseGroups(text: string): boolean {
    const groups = this.#groups.fill(0);
    let count = 0;
    let gap = -1;
    let index = 0;
    if (text.startsWith('::')) {
      gap = 0;
      index = 2;
    }
    while (index < text.length) {
      if (count === 8) return false;
      const v4 = count <= 6 ? parseV4(text, index) : -1;
      if (v4 >= 0) {
        groups[count] = v4 >>> 16;
        groups[count + 1] = v4 & 0xffff;
        count += 2;
        break;
      }
      const start = index;
      let value = 0;
      for (; index < text.length && index - start < 4; index += 1) {
        const digit = hex(text.charCodeAt(index));
        if (digit < 0) break;
        value = value * 16 + digit;
      }
      if (index === start) return false;
      groups[count] = value;
      count += 1;
      if (index === text.length) break;
      if (text.charCodeAt(index) !== COLON) return false;
      index += 1;
      if (text.charCodeAt(index) === COLON) {
        if (gap >= 0) return false;
        gap = count;
        index += 1;
      } else if (index === text.length) {
        return false;
      }
    }
    if (gap < 0) return count === 8;
    if (count > 7) return false;
    groups.copyWithin(gap + 8 - count, gap, count);
    groups.fill(0, gap, gap + 8 - count);
    return true;
  }
}

const COLON = 58;
const DOT = 46;

function word(groups: Uint16Array, index: number): number {
  return (((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0)) >>> 0;
}

function hex(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const folded = code | 32;
  return folded >= 97 && folded <= 102 ? folded - 87 : -1;
}

/** The dotted quad that fills `text` from `start` to its end, or -1. Leading zeros are refused as ambiguous. */
function parseV4(text: string, start: number): number {
  if (text.length - start < 7 || text.length - start > 15) return -1;
  let value = 0;
  let octet = -1;
  let octets = 0;
  for (let index = start; index <= text.length; index += 1) {
    const code = index < text.length ? text.charCodeAt(index) : DOT;
    if (code === DOT) {
      if (octet < 0) return -1;
      value = value * 256 + octet;
      octets += 1;
      octet = -1;
    } else if (code >= 48 && code <= 57) {
      if (octet === 0) return -1;
      octet = (octet < 0 ? 0 : octet * 10) + code - 48;
      if (octet > 255) return -1;
    } else {
      return -1;
    }
  }
  return octets === 4 ? value : -1;
}
