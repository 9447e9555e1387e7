// What stands in certificates and lists, read back by others: names of every form, key ids, serial numbers, constraints.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { parseCertificate } from '#gateway/attest/certificate';
import {
  constraintsOf,
  keyIdOf,
  nameOf,
  newSerial,
  writeCrl,
  writeLeaf,
  writeRoot,
} from '#gateway/pki/certificate-writer';
import type { Signer } from '#gateway/pki/signer/signer';

const START = Date.parse('2026-03-04T10:00:00Z');
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signer: Signer = { place: 'file', publicKey, sign: async (data) => sign('sha256', data, privateKey) };
const issuer = { subject: nameOf('Test', true), signer };

async function leaf(hosts: readonly string[], commonName = 'x'): Promise<X509Certificate> {
  const body = {
    ...{ serial: newSerial(), subject: nameOf(commonName), publicKey: other.publicKey },
    ...{ notBefore: START, notAfter: START + 1000, purpose: 'server' as const, key: 'file' as const },
    names: hosts.map((host) => ({ host })),
  };
  return new X509Certificate(await writeLeaf(body, issuer));
}

describe('names', () => {
  test('are DNS names, or addresses in the bytes they stand for', async () => {
    for (const [host, said] of [
      ['a.example', 'DNS:a.example'],
      ['192.0.2.1', 'IP Address:192.0.2.1'],
      ['255.0.255.0', 'IP Address:255.0.255.0'],
      ['::', 'IP Address:0:0:0:0:0:0:0:0'],
      ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
      ['1::', 'IP Address:1:0:0:0:0:0:0:0'],
      ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
      ['2001:DB8:0:0:1::', 'IP Address:2001:DB8:0:0:1:0:0:0'],
      ['1:2:3:4:5:6:7:8', 'IP Address:1:2:3:4:5:6:7:8'],
      ['::ffff:192.0.2.1', 'IP Address:0:0:0:0:0:FFFF:C000:201'],
      ['1:2:3:4:5:6:7::', 'IP Address:1:2:3:4:5:6:7:0'],
    ] as const) {
      assert.equal((await leaf([host])).subjectAltName, said, host);
    }
  });

  test('of subjects are cut to sixty-four characters, and say who made a CA', async () => {
    for (const [length, kept] of [
      [63, 63],
      [64, 64],
      [65, 64],
    ] as const) {
      assert.equal((await leaf(['a.example'], 'n'.repeat(length))).subject, `CN=${'n'.repeat(kept)}`);
    }
    // Of version 3, which is written as 2.
    assert.equal((await leaf(['a.example'])).raw.includes(Buffer.from('a003020102', 'hex')), true);
    assert.equal((await leaf(['a.example'])).issuer, 'O=Sallyport\nCN=Test');
  });
});

test('key ids are of the key’s point, the issuer’s in what it issues', async () => {
  const point = (key: typeof publicKey): Buffer => {
    const { x = '', y = '' } = key.export({ format: 'jwk' });
    return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  };
  const idOf = (key: typeof publicKey): Buffer => createHash('sha1').update(point(key)).digest();
  assert.equal(keyIdOf(publicKey).equals(idOf(publicKey)), true);
  const { raw } = await leaf(['a.example']);
  assert.equal(
    raw.includes(Buffer.concat([Buffer.from('0603551d0e041604' + '14', 'hex'), idOf(other.publicKey)])),
    true,
  );
  assert.equal(
    raw.includes(Buffer.concat([Buffer.from('0603551d23041830168014', 'hex'), idOf(publicKey)])),
    true,
  );
});

test('serial numbers have sixteen bytes, begin between 0x40 and 0x7f, and are all others', () => {
  const serials = Array.from({ length: 2_000 }, newSerial);
  assert.equal(new Set(serials.map((one) => one.toString('hex'))).size, serials.length);
  const firsts = serials.map(([first = 0]) => first);
  assert.ok(serials.every(({ length }) => length === 16));
  assert.ok(firsts.every((first) => first >= 0x40 && first <= 0x7f));
  // Each of the 64 first bytes there may be: of 2000 draws one is missing once in 10^12.
  assert.equal(new Set(firsts).size, 64);
});

describe('constraints', () => {
  /** The subtrees as they were written, without what holds them. */
  const hexOf = (hosts: readonly string[]): string =>
    constraintsOf({ trustDomain: 'td', hosts }).toString('hex');
  const email = '30028100';
  const dns = '30028200';
  const v4 = `300a8708${'00'.repeat(8)}`;
  const v6 = `30228720${'00'.repeat(32)}`;
  const uri = '300486027464';

  test('rule out each kind of name that is never issued', () => {
    const none = hexOf([]);
    assert.equal(none, `3042a006${uri}a138${email}${dns}${v4}${v6}`);
  });

  test('permit hosts and addresses as they are, whatever their order', () => {
    const both = hexOf(['b', '192.0.2.1', 'a', '::1']);
    assert.equal(both, hexOf(['::1', 'a', 'b', '192.0.2.1']));
    const hosts = '3003820161' + '3003820162';
    const four = `300a8708c0000201ffffffff`;
    const six = `30228720${'00'.repeat(15)}01${'ff'.repeat(16)}`;
    assert.ok(both.includes(hosts) && both.includes(four) && both.includes(six) && both.includes(uri));
    assert.ok(both.endsWith(`a104${email}`));
  });

  test('of one family of addresses leave no hole for the other', () => {
    for (const hosts of [['192.0.2.1'], ['::1']]) {
      const written = hexOf(hosts);
      // A permitted address of one family permits none of the other (RFC 5280, section 4.2.1.10).
      assert.ok(written.endsWith(`a108${email}${dns}`), written);
    }
  });
});

test('a root is read back as it was meant', async () => {
  const body = {
    serial: newSerial(),
    subject: issuer.subject,
    publicKey,
    notBefore: START,
    notAfter: START + 5000,
  };
  const { basicConstraints, notBefore, notAfter, keyUsage } = parseCertificate(
    await writeRoot(body, signer),
  ) as {
    basicConstraints?: { ca: boolean; pathLength?: number };
    notBefore: number;
    notAfter: number;
    keyUsage?: unknown;
  };
  assert.deepEqual([basicConstraints?.ca, basicConstraints?.pathLength], [true, 1]);
  assert.deepEqual([notBefore, notAfter], [START, START + 5000]);
  assert.notEqual(keyUsage, undefined);
});

test('a list without entries has none, and one with entries has each with its time', async () => {
  const times = { number: 5, thisUpdate: START, nextUpdate: START + 1000 };
  const empty = (await writeCrl(issuer, [], times)).toString('latin1');
  const one = (await writeCrl(issuer, [{ serial: '4A01', at: START + 7000 }], times)).toString('latin1');
  const entry = Buffer.from('301302024a01', 'hex').toString('latin1');
  assert.equal(empty.includes('260304100007Z'), false);
  assert.equal(one.includes(`${entry}\x17\x0d260304100007Z`), true);
  for (const list of [empty, one]) {
    // Version 2, which is written as 1, and then the algorithm.
    assert.ok(list.includes(Buffer.from('020101300a06082a8648ce3d040302', 'hex').toString('latin1')));
    assert.ok(list.includes('\x17\x0d260304100000Z\x17\x0d260304100001Z'));
    // The number of the list: an extension of one integer.
    assert.ok(list.includes(Buffer.from('0603551d140403020105', 'hex').toString('latin1')));
  }
});
