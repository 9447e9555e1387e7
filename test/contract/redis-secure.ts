// Redis servers and Sentinels that speak only TLS, with client certificates, and ask for a password: their certificates,
// and what each is started with. The rights of the gateway's users are those that the page on state tells people to give.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { Credentials, Scope, SecureRedis } from './redis.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
const DAY = 86_400_000;
const PAGE = join(import.meta.dirname, '../../docs/state.md');

/** The password of servers and Sentinels among themselves, which no gateway knows. */
export const INNER = 'of-the-servers';

/** What the page on state shows for an ACL `user` of its servers, or of its Sentinels, with a password of ours. */
export function aclLine(of: 'servers' | 'Sentinels', password: string): string {
  const lines = readFileSync(PAGE, 'utf8').match(/^user gateway .*$/gm) ?? [];
  const line = lines.find((one) => one.includes('+sentinel') === (of === 'Sentinels')) ?? '';
  return line.replace('PASSWORD', password);
}

export async function secureRedis(scope: Scope, host: string): Promise<SecureRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-redis-tls-'));
  scope.after(async () => rmSync(directory, { recursive: true, force: true }));
  const authority = await newAuthority();
  const ca = join(directory, 'redis-ca.pem');
  writeFileSync(ca, authority.certificate.toString('pem'));
  let made = 0;
  const credentials = async (name: string): Promise<Credentials> => {
    made += 1;
    const place = join(directory, String(made));
    mkdirSync(place);
    const { certificate, key } = await certify(authority, name, made);
    const files = { certificate: join(place, 'certificate.pem'), key: join(place, 'key.pem') };
    writeFileSync(files.certificate, certificate);
    writeFileSync(files.key, key, { mode: 0o600 });
    return files;
  };
  const [own, client] = [await credentials(host), await credentials('gateway-1')];
  const passwords = { servers: 'of-the-gateways', sentinels: 'of-the-gateways-for-sentinels' };
  const tls = (port: number, { certificate, key }: Credentials): [string, string][] => [
    ...([
      ['port', '0'],
      ['tls-port', String(port)],
      ['tls-replication', 'yes'],
    ] as [string, string][]),
    ...([
      ['tls-auth-clients', 'yes'],
      ['tls-ca-cert-file', ca],
    ] as [string, string][]),
    ...([
      ['tls-cert-file', certificate],
      ['tls-key-file', key],
    ] as [string, string][]),
  ];
  return {
    ...{ host, ca, passwords, client, credentials },
    server: (port, files = own) => [
      ...tls(port, files).flatMap(([key, value]) => [`--${key}`, value]),
      ...['--requirepass', INNER, '--masterauth', INNER, '--replica-announce-ip', host],
      ...`--${aclLine('servers', passwords.servers)}`.split(' '),
    ],
    sentinel: (port) => [
      ...tls(port, own).map((pair) => pair.join(' ')),
      ...['sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes'],
      ...[`requirepass ${INNER}`, `sentinel sentinel-pass ${INNER}`],
      aclLine('Sentinels', passwords.sentinels),
    ],
    asking: {
      host,
      password: INNER,
      tls: { ca: readFileSync(ca), cert: readFileSync(client.certificate), key: readFileSync(client.key) },
    },
  };
}

interface Authority {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

const validity = (): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(Date.now() - DAY),
  notAfter: new Date(Date.now() + DAY),
});

async function newAuthority(): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    ...{ serialNumber: '01', name: 'CN=Redis of the test', keys, signingAlgorithm: ALGORITHM },
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return { certificate, keys };
}

/** For a host by name or by address; good for both ends of a connection, as replication wants it. */
async function certify(
  { certificate: issuer, keys }: Authority,
  name: string,
  serial: number,
): Promise<{ certificate: string; key: string }> {
  const own = await newKeys();
  const type = /^[0-9.]+$/.test(name) ? 'ip' : 'dns';
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    ...{
      serialNumber: `10${serial.toString(16).padStart(2, '0')}`,
      subject: 'CN=Redis',
      issuer: issuer.subject,
    },
    ...{ publicKey: own.publicKey, signingKey: keys.privateKey, signingAlgorithm: ALGORITHM },
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type, value: name }]),
    ],
  });
  const der = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
  return { certificate: certificate.toString('pem'), key: x509.PemConverter.encode(der, 'PRIVATE KEY') };
}
