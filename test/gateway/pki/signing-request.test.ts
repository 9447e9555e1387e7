// Requests for certificates as openssl and another library write them, and as nobody may write them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bits, context, identifier, integer, sequence } from '#connectors/wire/der-writer';
import { readRequest } from '#gateway/pki/signing-request';
import { requestFor } from './signing-request.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-csr-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** What openssl asks for, and its key. */
function openssl(...options: readonly string[]): { readonly pem: string; readonly publicKey: KeyObject } {
  const key = join(directory, 'key.pem');
  const pem = execFileSync(
    'openssl',
    ['req', '-new', '-nodes', '-keyout', key, '-subj', '/CN=a', ...options],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  return { pem, publicKey: createPublicKey(createPrivateKey(readFileSync(key))) };
}

interface Parts {
  readonly version?: number;
  readonly subject?: Buffer;
  readonly key?: KeyObject;
  readonly spki?: Buffer;
  readonly attributes?: readonly Buffer[];
  readonly algorithm?: string;
  readonly hash?: string;
  readonly by?: KeyObject;
  readonly behind?: Buffer;
}

const OURS = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ANOTHER = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SHA256 = '1.2.840.10045.4.3.2';
const NO_ATTRIBUTES = [context(0, Buffer.alloc(0), true)];
const NOTHING = Buffer.alloc(0);

function made(parts: Parts = {}): string {
  const { version = 0, subject = sequence(), key = OURS.publicKey, attributes = NO_ATTRIBUTES } = parts;
  const spki = parts.spki ?? key.export({ type: 'spki', format: 'der' });
  const body = sequence(integer(version), subject, spki, ...attributes);
  const signature = sign(parts.hash ?? 'sha256', body, parts.by ?? OURS.privateKey);
  const der = sequence(body, sequence(identifier(parts.algorithm ?? SHA256)), bits(signature));
  return pem(Buffer.concat([der, parts.behind ?? NOTHING]));
}

/** A key whose point is not one of the curve. */
function offCurve(): Buffer {
  const spki = OURS.publicKey.export({ type: 'spki', format: 'der' });
  spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
  return spki;
}

function compressed(): Buffer {
  const spki = OURS.publicKey.export({ type: 'spki', format: 'der' });
  const point = Buffer.concat([Buffer.of(2 + ((spki.at(-1) ?? 0) & 1)), spki.subarray(27, 59)]);
  return sequence(sequence(identifier('1.2.840.10045.2.1'), identifier('1.2.840.10045.3.1.7')), bits(point));
}

function pem(der: Buffer, label = 'CERTIFICATE REQUEST'): string {
  const text = der.toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
}

suite('a request is read', () => {
  for (const [what, options] of [
    ['from openssl', P256],
    ['that wishes for names and a challenge', [...P256, '-addext', 'subjectAltName=DNS:evil.example']],
    ['signed with SHA-384', [...P256, '-sha384']],
    ['under the label that Java writes', [...P256, '-newhdr']],
    ['with text before it', [...P256, '-text']],
  ] as const) {
    test(what, () => {
      const asked = openssl(...options);
      const read = readRequest(asked.pem);
      assert.equal(read.publicKey.equals(asked.publicKey), true);
      assert.equal(read.subject.toString('hex'), '300c310a300806035504030c0161');
    });
  }

  test('from another library, in lines that end as Windows has them', async () => {
    const { subject } = readRequest((await requestFor()).replaceAll('\n', '\r\n'));
    assert.match(subject.toString('latin1'), /whoever-it-says$/);
  });

  test('without attributes, as old programs write it', () => {
    assert.equal(readRequest(made({ attributes: [] })).publicKey.equals(OURS.publicKey), true);
  });
});

suite('a request is refused', () => {
  const unreadable = 'the certificate request cannot be read as PKCS#10 PEM';
  const unsigned = 'the certificate request is not signed by the key it carries';
  const otherKey = 'the certificate request must carry an ECDSA P-256 key';
  const refused = (csr: string, message: string): void =>
    assert.throws(() => readRequest(csr), { code: 'bad-csr', message });
  const good = Buffer.from(made().replace(/-----[^-]+-----|\s/g, ''), 'base64');

  for (const [what, csr, message] of [
    ['that is none', 'nonsense', unreadable],
    ['that is empty', '', unreadable],
    ['without its label', good.toString('base64'), unreadable],
    ['with a certificate’s label', pem(good, 'CERTIFICATE'), unreadable],
    ['with two labels', made().replace('BEGIN CERT', 'BEGIN NEW CERT'), unreadable],
    ['that is two', made() + made(), unreadable],
    ['with bytes behind it', made({ behind: Buffer.from([0]) }), unreadable],
    ['of another version', made({ version: 2 }), unreadable],
    ['whose subject is none', made({ subject: integer(1) }), unreadable],
    ['with something besides attributes', made({ attributes: [integer(1)] }), unreadable],
    ['with attributes twice', made({ attributes: [...NO_ATTRIBUTES, ...NO_ATTRIBUTES] }), unreadable],
    ['whose key is none', made({ spki: sequence(sequence(), bits(NOTHING)) }), otherKey],
    [
      'whose key is on no curve',
      made({ spki: offCurve() }),
      'the certificate request cannot be read as a key',
    ],
    ['signed with another key', made({ by: ANOTHER.privateKey }), unsigned],
    ['that carries another key', made({ key: ANOTHER.publicKey }), unsigned],
    ['signed with SHA-1', made({ algorithm: '1.2.840.10045.4.1', hash: 'sha1' }), unsigned],
    ['that names another hash than it is signed with', made({ algorithm: '1.2.840.10045.4.3.3' }), unsigned],
    ['that names RSA', made({ algorithm: '1.2.840.113549.1.1.11' }), unsigned],
    ['for P-384', openssl('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384').pem, otherKey],
    ['for RSA', openssl('-newkey', 'rsa:2048').pem, otherKey],
    ['for Ed25519', openssl('-newkey', 'ed25519').pem, otherKey],
    ['whose key is compressed', made({ spki: compressed() }), otherKey],
    ['for a curve that it spells out', openssl(...P256, '-pkeyopt', 'ec_param_enc:explicit').pem, otherKey],
  ] as const) {
    test(what, () => refused(csr, message));
  }

  test('with any one bit turned', () => {
    for (let bit = 0; bit < good.length * 8; bit += 1) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => readRequest(pem(bytes)), { code: 'bad-csr' }, `bit ${bit}`);
    }
  });

  test('cut anywhere', () => {
    for (let end = 0; end < good.length; end += 1) {
      assert.throws(() => readRequest(pem(good.subarray(0, end))), { code: 'bad-csr' }, `${end} bytes`);
    }
  });
});
