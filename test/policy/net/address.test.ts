// Addresses and ranges against Node's own parser and BlockList.
import assert from 'node:assert/strict';
import { BlockList, isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Address } from '#policy/net/address';
import { cidrFault, formatAddress, RangeSet } from '#policy/net/ranges';

test('texts are addresses exactly when Node says so', () => {
  const pieces = fc.constantFrom(
    '0',
    '1',
    '255',
    '256',
    '01',
    'ffff',
    'FfFf',
    '10000',
    ':',
    '::',
    '.',
    '1.2.3.4',
    '%eth0',
    ' ',
    'g',
  );
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(pieces, { maxLength: 17 }).map((all) => all.join('')),
    fc.array(pieces, { maxLength: 10 }).map((all) => all.join(':')),
  );
  const address = new Address();
  fc.assert(
    fc.property(texts, (text) => {
      const expected = text.includes('%') ? 0 : isIP(text);
      const parsed = address.parse(text) ? address.family : 0;
      const mapped =
        expected === 6 && /^\[::ffff:[0-9a-f]+:[0-9a-f]+\]$/.test(new URL(`http://[${text}]`).hostname);
      assert.equal(parsed, mapped ? 4 : expected, text);
    }),
    { numRuns: 20_000, seed: 1 },
  );
});

test('an address keeps its value, however it is written', () => {
  const forms: Readonly<Record<string, readonly string[]>> = {
    '2001:db8:0:0:0:0:0:1': ['2001:db8::1', '2001:DB8:0::0:1', '2001:0db8:0000::0001', '2001:db8::0.0.0.1'],
    '192.0.2.1': ['::ffff:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:ffff:c000:0201'],
    '0:0:0:0:0:0:0:0': ['::', '0::', '::0'],
    '0:0:0:0:0:0:102:304': ['::1.2.3.4'],
  };
  const address = new Address();
  for (const [canonical, texts] of Object.entries(forms)) {
    for (const text of texts) {
      assert.ok(address.parse(text), text);
      const value = [address.w0, address.w1, address.w2, address.w3].reduce(
        (sum, word) => (sum << 32n) | BigInt(word),
        0n,
      );
      assert.equal(formatAddress(value, address.family), canonical, text);
    }
  }
});

test('ranges contain what BlockList contains, at their edges and elsewhere', () => {
  const cidrs = fc.uniqueArray(
    fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([ip, length]) => network(ip, length)),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([ip, length]) => network(ip, length)),
    ),
    { minLength: 1, maxLength: 5 },
  );
  const address = new Address();
  fc.assert(
    fc.property(cidrs, fc.array(fc.oneof(fc.ipV4(), fc.ipV6())), (list, others) => {
      const usable = list.filter((cidr) => cidrFault(cidr) === undefined);
      const ranges = new RangeSet(usable);
      // One list per family: a BlockList takes an IPv4 address for a mapped one, and so for one of ::/0.
      const blocks = { 4: new BlockList(), 6: new BlockList() };
      for (const cidr of usable) {
        const [base = '', length] = cidr.split('/');
        if (isIP(base) === 4) blocks[4].addSubnet(base, Number(length), 'ipv4');
        else blocks[6].addSubnet(base, Number(length), 'ipv6');
      }
      for (const text of [...ranges.edges(), ...neighbours(ranges.edges()), ...others]) {
        if (!address.parse(text) || (isIP(text) === 6 && address.family === 4)) continue;
        const expected = isIP(text) === 4 ? blocks[4].check(text, 'ipv4') : blocks[6].check(text, 'ipv6');
        assert.equal(ranges.has(address), expected, `${text} in ${usable.join(' ')}`);
      }
    }),
    { numRuns: 500, seed: 2 },
  );
});

test('networks are refused unless written in canonical form, and the right form is named', () => {
  assert.equal(cidrFault('192.0.2.0/24'), undefined);
  assert.equal(cidrFault('192.0.2.7'), undefined);
  assert.equal(cidrFault('2001:db8::/32'), undefined);
  assert.match(cidrFault('192.0.2.1/24') ?? '', /the network is 192\.0\.2\.0\/24/);
  assert.match(cidrFault('192.0.2.0/33') ?? '', /between 0 and 32/);
  assert.match(cidrFault('192.0.2.0/') ?? '', /prefix length/);
  assert.match(cidrFault('192.0.2.0/24/8') ?? '', /not an IP network/);
  assert.match(cidrFault('::ffff:192.0.2.0/120') ?? '', /as IPv4/);
  assert.match(cidrFault('office') ?? '', /not an IP network/);
});

test('ranges know what they cover and meet', () => {
  const wide = new RangeSet(['10.0.0.0/8', '2001:db8::/32']);
  const narrow = new RangeSet(['10.1.0.0/16', '2001:db8:1::/48']);
  assert.ok(wide.covers(narrow) && !narrow.covers(wide) && wide.overlaps(narrow));
  assert.ok(!wide.overlaps(new RangeSet(['11.0.0.0/8'])));
  assert.ok(
    new RangeSet(['10.0.0.0/9', '10.128.0.0/9']).covers(new RangeSet(['10.0.0.0/8'])),
    'adjoining ranges are one',
  );
});

/** The address with its host bits cleared, by arithmetic on text only where cidrFault names the network. */
function network(ip: string, length: number): string {
  const fault = cidrFault(`${ip}/${length}`);
  return /the network is (\S+)$/.exec(fault ?? '')?.[1] ?? `${ip}/${length}`;
}

/** The addresses just before and after IPv4 edges. */
function neighbours(edges: readonly string[]): string[] {
  return edges
    .filter((edge) => isIP(edge) === 4)
    .flatMap((edge) => {
      const value = edge.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
      return [value - 1, value + 1]
        .filter((one) => one >= 0 && one < 2 ** 32)
        .map((one) => formatAddress(BigInt(one), 4));
    });
}
