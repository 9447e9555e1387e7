// DER as X.690 has it: each type in its one right form, by bytes that are known.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bits,
  context,
  ecdsaSignature,
  element,
  identifier,
  integer,
  namedBits,
  octets,
  pem,
  sequence,
  set,
  time,
  utf8,
  yes,
} from '#connectors/wire/der-writer';

const hex = (bytes: Buffer): string => bytes.toString('hex');

test('a length has as few bytes as it needs', () => {
  for (const [length, head] of [
    [0, '0400'],
    [1, '0401'],
    [127, '047f'],
    [128, '048180'],
    [255, '0481ff'],
    [256, '04820100'],
    [65_535, '0482ffff'],
    [65_536, '0483010000'],
  ] as const) {
    const written = hex(octets(Buffer.alloc(length)));
    assert.equal(written.slice(0, head.length), head, String(length));
    assert.equal(written.length, head.length + length * 2);
  }
});

test('an integer is the shortest that is not negative', () => {
  for (const [value, written] of [
    [0, '020100'],
    [1, '020101'],
    [127, '02017f'],
    [128, '02020080'],
    [255, '020200ff'],
    [256, '02020100'],
    [0x7fff, '02027fff'],
    [0x8000, '0203008000'],
    [1_772_617_600_000, '0206019cb83e0c00'],
    [Buffer.from('00', 'hex'), '020100'],
    [Buffer.from('0000', 'hex'), '020100'],
    [Buffer.from('00000001', 'hex'), '020101'],
    [Buffer.from('0080', 'hex'), '02020080'],
    [Buffer.from('80ff', 'hex'), '02030080ff'],
    [Buffer.from('7fff', 'hex'), '02027fff'],
  ] as const) {
    assert.equal(hex(integer(value)), written, String(value));
  }
});

test('an object identifier is written in groups of seven bits', () => {
  for (const [dotted, written] of [
    ['1.2.840.113549', '06062a864886f70d'],
    ['1.2.840.10045.4.3.2', '06082a8648ce3d040302'],
    ['2.5.29.19', '0603551d13'],
    ['0.9.127.128.16383.16384', '0609097f8100ff7f818000'],
    ['1.3', '06012b'],
  ] as const) {
    assert.equal(hex(identifier(dotted)), written, dotted);
  }
});

test('of named bits the zeros at the end are left out', () => {
  for (const [value, written] of [
    [0, '030100'],
    [0x8000, '03020780'],
    [0x0600, '03020106'],
    [0x0100, '03020001'],
    [0x0080, '0303070080'],
    [0x8001, '0303008001'],
    [0xff00, '030200ff'],
  ] as const) {
    assert.equal(hex(namedBits(value)), written, value.toString(16));
  }
});

test('a time has two digits of its year to 2049, and four from then on', () => {
  for (const [at, written] of [
    ['2026-03-04T10:05:06.789Z', '260304100506Z'],
    ['2049-12-31T23:59:59.999Z', '491231235959Z'],
    ['2050-01-01T00:00:00Z', '20500101000000Z'],
  ] as const) {
    const der = time(Date.parse(at));
    assert.equal(der[0], written.length === 13 ? 0x17 : 0x18);
    assert.equal(der.toString('latin1', 2), written);
    assert.equal(der[1], written.length);
  }
});

test('the other types', () => {
  assert.equal(hex(yes), '0101ff');
  assert.equal(hex(utf8('é')), '0c02c3a9');
  assert.equal(hex(bits(Buffer.from([5]))), '03020005');
  assert.equal(hex(sequence(yes, integer(1))), '30060101ff020101');
  assert.equal(hex(set(yes)), '31030101ff');
  assert.equal(hex(context(2, Buffer.from('ab'))), '82026162');
  assert.equal(hex(context(3, yes, true)), 'a3030101ff');
  assert.equal(hex(element(0xa0)), 'a000');
});

test('an ECDSA signature is two integers', () => {
  const signature = Buffer.from('0102030480000001', 'hex');
  assert.equal(hex(ecdsaSignature(signature)), '300d02040102030402050080000001');
});

test('PEM has lines of 64 characters', () => {
  for (const length of [0, 1, 47, 48, 49, 96, 97]) {
    const der = Buffer.alloc(length, 7);
    const lines = pem('CERTIFICATE', der).split('\n');
    assert.deepEqual(
      [lines[0], lines.at(-2), lines.at(-1)],
      ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----', ''],
    );
    const body = lines.slice(1, -2);
    assert.equal(Buffer.from(body.join(''), 'base64').equals(der), true);
    for (const line of body.slice(0, -1)) assert.equal(line.length, 64);
    assert.ok((body.at(-1)?.length ?? 0) <= 64);
  }
});
