// Which country an address is registered in, from range files the operator supplies. No range is no answer.
import { readFileSync } from 'node:fs';
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** The country of addresses that belong to none, so that an embargo does not lock out the office. */
const PRIVATE = 'private';

/** A line of a range file that cannot be used: the file is refused whole. */
export class CountryFileError extends Error {
  readonly code = 'country-file';
}

interface Ranges {
  readonly starts: readonly bigint[];
  readonly ends: readonly bigint[];
  readonly codes: readonly string[];
}

const NOT_PUBLIC = new BlockList();
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
] as const)
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of [
  ['fc00::', 7],
  ['fe80::', 10],
  ['::1', 128],
] as const) {
  NOT_PUBLIC.addSubnet(network, prefix, 'ipv6');
}

export class Countries {
  readonly #v4: Ranges;
  readonly #v6: Ranges;

  /** `files`: CSV of `start,end,CC`, IPv4 and IPv6 in any mixture. Throws CountryFileError. */
  constructor(files: readonly string[]) {
    const rows = files.flatMap(readRanges);
    this.#v4 = sorted(rows.filter(({ v6 }) => !v6));
    this.#v6 = sorted(rows.filter(({ v6 }) => v6));
  }

  /** ISO 3166-1 alpha-2, `private`, or undefined where the files do not say. `address` is canonical. */
  lookup(address: string): string | undefined {
    const v6 = isIPv6(address);
    if (!v6 && !isIPv4(address)) return undefined;
    if (NOT_PUBLIC.check(address, v6 ? 'ipv6' : 'ipv4')) return PRIVATE;
    const ranges = v6 ? this.#v6 : this.#v4;
    const value = numberOf(address);
    let low = 0;
    let high = ranges.starts.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if ((ranges.starts[middle] ?? 0n) > value) high = middle - 1;
      else if ((ranges.ends[middle] ?? 0n) < value) low = middle + 1;
      else return ranges.codes[middle];
    }
    return undefined;
  }
}

interface Row {
  readonly start: bigint;
  readonly end: bigint;
  readonly code: string;
  readonly v6: boolean;
  readonly file: string;
  readonly line: number;
}

function readRanges(file: string): Row[] {
  const rows: Row[] = [];
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue;
    const [start = '', end = '', code = ''] = line.trim().replaceAll('"', '').split(',');
    const v6 = isIPv6(start);
    const addresses = v6 ? isIPv6(end) : isIPv4(start) && isIPv4(end);
    // A zone id (`fe80::1%eth0`) is of one machine's interfaces.
    if (!addresses || `${start}${end}`.includes('%') || !/^[A-Z]{2}$/.test(code))
      throw new CountryFileError(
        `${file}:${index + 1}: expected start,end,country like 192.0.2.0,192.0.2.255,DE`,
      );
    const row = { start: numberOf(start), end: numberOf(end), code, v6, file, line: index + 1 };
    if (row.end < row.start)
      throw new CountryFileError(`${file}:${index + 1}: the range ends before it starts`);
    rows.push(row);
  }
  return rows;
}

/** In order and without overlaps: the search could find either of two ranges that hold an address. */
function sorted(rows: Row[]): Ranges {
  rows.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const ranges = { starts: [] as bigint[], ends: [] as bigint[], codes: [] as string[] };
  let last: Row | undefined;
  for (const row of rows) {
    if (last === undefined || row.start > last.end) {
      ranges.starts.push(row.start);
      ranges.ends.push(row.end);
      ranges.codes.push(row.code);
      last = row;
    } else if (row.code !== last.code) {
      throw new CountryFileError(
        `${row.file}:${row.line}: a part of this range is in ${last.code} by ${last.file}:${last.line}; leave one of them out`,
      );
    } else if (row.end > last.end) {
      ranges.ends[ranges.ends.length - 1] = row.end;
      last = row;
    }
  }
  return ranges;
}

function numberOf(address: string): bigint {
  if (isIPv4(address)) return BigInt(address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0));
  const hostname = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = hostname.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return BigInt(`0x${[...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('')}`);
}
