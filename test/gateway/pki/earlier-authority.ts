// The directory of an authority as earlier versions left it: one CA, its key in clear, that signs leaves itself.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { keyPem, newKeys } from '#test/gateway/identity/service-certificates';

const SIGN = { name: 'ECDSA', hash: 'SHA-256' };
const FLAGS = x509.KeyUsageFlags;

export interface EarlierAuthority {
  /** What clients of that time trust, in PEM. */
  readonly certificate: string;
  /** A certificate and its key as it gave them to a connector, in PEM. */
  leaf(uri: string): Promise<{ readonly certificate: string; readonly key: string }>;
}

export async function earlierAuthority(directory: string, now: number): Promise<EarlierAuthority> {
  const keys = await newKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '41',
    name: [{ O: ['Sallyport'] }, { CN: ['Sallyport connectors'] }],
    notBefore: new Date(now - 300_000),
    notAfter: new Date(now + 3650 * 86_400_000),
    keys,
    signingAlgorithm: SIGN,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(FLAGS.keyCertSign | FLAGS.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const certificate = `${root.toString('pem')}\n`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'ca.key'), await keyPem({ certificate: root, keys }), { mode: 0o600 });
  writeFileSync(join(directory, 'ca.pem'), certificate);
  return { certificate, leaf: (uri) => leafOf({ certificate: root, keys }, uri, now) };
}

async function leafOf(
  { certificate: root, keys: signing }: { certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair },
  uri: string,
  now: number,
): Promise<{ certificate: string; key: string }> {
  const keys = await newKeys();
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: '42',
    subject: [{ CN: [uri.slice(uri.lastIndexOf('/') + 1)] }],
    issuer: root.subjectName,
    notBefore: new Date(now - 300_000),
    notAfter: new Date(now + 86_400_000),
    publicKey: keys.publicKey,
    signingKey: signing.privateKey,
    signingAlgorithm: SIGN,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(FLAGS.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth], false),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }], false),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
    ],
  });
  return { certificate: `${leaf.toString('pem')}\n`, key: await keyPem({ certificate: leaf, keys }) };
}
