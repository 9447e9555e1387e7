// Countries by address range: edges of ranges, both families, and that a bad file is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Countries, CountryFileError } from '#gateway/context/countries';
import { canonicalAddress } from '#gateway/edge/address';

const root = mkdtempSync(join(tmpdir(), 'sallyport-countries-'));
after(() => rmSync(root, { recursive: true, force: true }));

function countries(text: string): Countries {
  const file = join(root, 'ranges.csv');
  writeFileSync(file, text);
  return new Countries([file]);
}

test('an address is looked up by its range, edges included', () => {
  const known = countries(
    '203.0.113.0,203.0.113.127,DE\n198.51.100.0,198.51.100.255,FR\n2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,SE\n',
  );
  const expected: [string, string | undefined][] = [
    ['203.0.113.0', 'DE'],
    ['203.0.113.127', 'DE'],
    ['203.0.113.128', undefined],
    ['198.51.100.7', 'FR'],
    ['2001:db8::', 'SE'],
    ['2001:db8:0:ffff:ffff:ffff:ffff:ffff', 'SE'],
    ['2001:db8:1::', undefined],
    ['10.1.2.3', 'private'],
    ['192.168.0.1', 'private'],
    ['127.0.0.1', 'private'],
    ['::1', 'private'],
    ['fd00::1', 'private'],
    ['100.64.0.1', 'private'],
    ['172.32.0.1', undefined],
    ['', undefined],
    ['nonsense', undefined],
  ];
  for (const [address, country] of expected) assert.equal(known.lookup(address), country, address);
});

test('without files a public address has no country', () => {
  assert.equal(new Countries([]).lookup('203.0.113.1'), undefined);
});

for (const line of [
  '203.0.113.0,203.0.113.1',
  'a,b,DE',
  '203.0.113.0,2001:db8::1,DE',
  '203.0.113.0,203.0.113.1,Germany',
  '203.0.113.1,203.0.113.0,DE',
  'fe80::1%eth0,fe80::2%eth0,DE',
  '198.51.100.1,198.51.100.9,DE',
]) {
  test(`refuses a file with "${line}", naming the line`, () => {
    assert.throws(
      () => countries(`198.51.100.0,198.51.100.1,FR\n${line}\n`),
      (error: Error) => {
        return error instanceof CountryFileError && error.message.includes('ranges.csv:2:');
      },
    );
  });
}

test('ranges of one country may overlap; those of two tell where the other one is', () => {
  const known = countries('192.0.2.0,192.0.2.255,DE\n192.0.2.16,192.0.2.31,DE\n192.0.2.128,192.0.3.7,DE\n');
  for (const address of ['192.0.2.20', '192.0.2.40', '192.0.2.200', '192.0.3.7'])
    assert.equal(known.lookup(address), 'DE', address);
  assert.equal(known.lookup('192.0.3.8'), undefined);
  // A search would say DE of the first half, and nothing of what follows the range inside.
  assert.throws(
    () => countries('203.0.113.16,203.0.113.31,KP\n203.0.113.0,203.0.113.255,DE\n'),
    /ranges\.csv:1: a part of this range is in DE by .*ranges\.csv:2; leave one of them out$/,
  );
});

test('one host has one address', () => {
  const same: [string | undefined, string][] = [
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['192.0.2.1', '192.0.2.1'],
    [undefined, ''],
  ];
  for (const [address, canonical] of same) assert.equal(canonicalAddress(address), canonical);
});
