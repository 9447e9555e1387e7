// Makes certificates of services, good ones and every kind of bad one, signed by authorities of two trust domains.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export const HOUR = 3_600_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
type Keys = webcrypto.CryptoKeyPair;

export interface Holder {
  readonly certificate: x509.X509Certificate;
  readonly keys: Keys;
}

export interface Wanted {
  readonly uris?: readonly string[];
  readonly purposes?: readonly string[] | undefined;
  /** `undefined` leaves the extension out. */
  readonly ca?: boolean | undefined;
  readonly pathLength?: number;
  readonly usage?: number;
  readonly from?: number;
  readonly to?: number;
}

export const CLIENT: string = x509.ExtendedKeyUsage.clientAuth;
export const SERVER: string = x509.ExtendedKeyUsage.serverAuth;
export const USAGE: typeof x509.KeyUsageFlags = x509.KeyUsageFlags;

export async function newKeys(namedCurve = 'P-256'): Promise<Keys> {
  return (await webcrypto.subtle.generateKey({ ...ALGORITHM, namedCurve }, true, ['sign', 'verify'])) as Keys;
}

let serial = 1;

/** `issuer` undefined: signed by itself. */
export async function certify(
  name: string,
  keys: Keys,
  issuer: Holder | undefined,
  wanted: Wanted,
  now: number,
): Promise<Holder> {
  const { uris = [], purposes, ca, pathLength, usage = USAGE.digitalSignature } = wanted;
  serial += 1;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(4, '0'),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(wanted.from ?? now - HOUR),
    notAfter: new Date(wanted.to ?? now + HOUR),
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...(ca === undefined ? [] : [new x509.BasicConstraintsExtension(ca, pathLength, true)]),
      new x509.KeyUsagesExtension(usage, true),
      ...(purposes === undefined ? [] : [new x509.ExtendedKeyUsageExtension([...purposes])]),
      ...(uris.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url' as const, value })))]),
    ],
  });
  return { certificate, keys };
}

export async function authority(
  name: string,
  now: number,
  issuer?: Holder,
  more: Wanted = {},
): Promise<Holder> {
  return certify(
    name,
    await newKeys(),
    issuer,
    { ca: true, usage: USAGE.keyCertSign | USAGE.cRLSign, ...more },
    now,
  );
}

export const derOf = ({ certificate }: Holder): Buffer => Buffer.from(certificate.rawData);
export const pemOf = ({ certificate }: Holder): string => `${certificate.toString('pem')}\n`;

export async function keyPem({ keys }: Holder): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return `-----BEGIN ${'PRIVATE'} KEY-----\n${der.toString('base64')}\n-----END ${'PRIVATE'} KEY-----\n`;
}
