// A private certificate authority: made on first start, it vouches for connectors and, in development, for
// the gateway's own names. Its key never leaves its directory, and it signs only what its two methods shape.
// The container of extensions inside @peculiar/x509 wants this polyfill to be there first.
import 'reflect-metadata';
import {
  createHash,
  createPrivateKey,
  X509Certificate as NodeCertificate,
  randomBytes,
  webcrypto,
} from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { readPrivate, requirePrivate, writeWhole } from '#gateway/state/private-files';

const DAY = 86_400_000;
const ROOT_LIFE = 3650 * DAY;
/** Certificates start a little in the past, so that a client whose clock lags accepts them. */
const BACKDATE = 5 * 60_000;
const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };
/** A CSR larger than this is not parsed at all; a P-256 request is about 450 bytes. */
const CSR_LIMIT = 8192;

/** A request the authority will not sign. `message` is fit for the requester. */
export class IssueError extends Error {
  readonly code = 'bad-csr';
}

export interface Issued {
  /** PEM, leaf only. */
  readonly certificate: string;
  /** Hex, upper case, as Node prints it. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly notAfter: number;
}

export class Authority {
  /** PEM of the root certificate: what clients are given to trust. */
  readonly certificate: string;
  /** SHA-256 of the root's DER, lower-case hex: what an enrolment token pins. */
  readonly fingerprint: string;
  readonly #root: x509.X509Certificate;
  readonly #key: CryptoKey;
  readonly #now: () => number;

  constructor(root: x509.X509Certificate, key: CryptoKey, now: () => number) {
    this.#root = root;
    this.#key = key;
    this.#now = now;
    this.certificate = `${root.toString('pem')}\n`;
    this.fingerprint = createHash('sha256').update(new Uint8Array(root.rawData)).digest('hex');
  }

  /** Certificate and fresh key (both PEM) for a TLS server of our own. Names may be DNS names or addresses. */
  async issueServer(names: readonly string[], life: number): Promise<Issued & { readonly key: string }> {
    const keys = (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const san = names.map((name) => ({ type: isIP(name) ? ('ip' as const) : ('dns' as const), value: name }));
    const usage = x509.ExtendedKeyUsage.serverAuth;
    const issued = await this.#issue(keys.publicKey, names[0] ?? 'sallyport', san, [usage], life);
    return { ...issued, key: await exportKey(keys.privateKey) };
  }

  /** Certificate and fresh key (both PEM) with which one gateway proves itself to another. `life` in milliseconds. */
  async issuePeer(uri: string, life: number): Promise<Issued & { readonly key: string }> {
    const keys = (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const names = [{ type: 'url' as const, value: uri }];
    const usage = x509.ExtendedKeyUsage.clientAuth;
    const name = uri.slice(uri.lastIndexOf('/') + 1);
    const issued = await this.#issue(keys.publicKey, name, names, [usage], life);
    return { ...issued, key: await exportKey(keys.privateKey) };
  }

  /**
   * Certificate for a connector, from its PKCS#10 request: proof of possession is checked, everything else
   * the request asks for is ignored. `life` in milliseconds. Throws IssueError.
   */
  async issueConnector(csr: string, uri: string, life: number): Promise<Issued> {
    const request = await checkedRequest(csr);
    const usage = x509.ExtendedKeyUsage.clientAuth;
    const key = await request.publicKey.export();
    return this.#issue(
      key,
      uri.slice(uri.lastIndexOf('/') + 1),
      [{ type: 'url', value: uri }],
      [usage],
      life,
    );
  }

  /** True if this authority signed `certificate` and it is in its time. Node checks no path by itself. */
  vouchesFor(certificate: NodeCertificate): boolean {
    const now = this.#now();
    const root = new NodeCertificate(this.certificate);
    return (
      certificate.checkIssued(root) &&
      certificate.verify(root.publicKey) &&
      Date.parse(certificate.validFrom) <= now &&
      now < Date.parse(certificate.validTo)
    );
  }

  async #issue(
    publicKey: CryptoKey,
    commonName: string,
    names: x509.JsonGeneralNames,
    usages: string[],
    life: number,
  ): Promise<Issued> {
    const now = this.#now();
    const serialNumber = newSerial();
    const notAfter = Math.min(now + life, this.#root.notAfter.getTime());
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject: [{ CN: [commonName.slice(0, 64)] }],
      issuer: this.#root.subjectName,
      notBefore: new Date(now - BACKDATE),
      notAfter: new Date(notAfter),
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: SIGNING_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(usages, false),
        new x509.SubjectAlternativeNameExtension(names, false),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.#root.publicKey),
      ],
    });
    return {
      certificate: `${certificate.toString('pem')}\n`,
      serial: serialNumber.toUpperCase(),
      notAfter: Math.floor(notAfter / 1000) * 1000,
    };
  }
}

async function checkedRequest(csr: string): Promise<x509.Pkcs10CertificateRequest> {
  if (csr.length > CSR_LIMIT) throw new IssueError(`the certificate request is over ${CSR_LIMIT} bytes`);
  let request: x509.Pkcs10CertificateRequest;
  let algorithm: { name?: string; namedCurve?: string };
  try {
    request = new x509.Pkcs10CertificateRequest(csr);
    // Read only now, and it may be what is broken.
    algorithm = request.publicKey.algorithm;
  } catch (cause) {
    throw new IssueError('the certificate request cannot be read as PKCS#10 PEM', { cause });
  }
  if (algorithm.name !== 'ECDSA' || algorithm.namedCurve !== 'P-256') {
    throw new IssueError('the certificate request must carry an ECDSA P-256 key');
  }
  if (!(await request.verify().catch(() => false))) {
    throw new IssueError('the certificate request is not signed by the key it carries');
  }
  return request;
}

/** 127 random bits, positive and without a leading zero byte, so every tool prints it alike. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Opens the authority kept in `directory`, making it on first use. `name` is its common name. */
export async function openAuthority(directory: string, name: string, now: () => number): Promise<Authority> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  requirePrivate(directory);
  const keyFile = join(directory, 'ca.key');
  const certificateFile = join(directory, 'ca.pem');
  if (!existsSync(certificateFile)) await createRoot(keyFile, certificateFile, name, now);
  const key = createPrivateKey(readPrivate(keyFile));
  const root = new x509.X509Certificate(readFileSync(certificateFile, 'utf8'));
  return new Authority(root, key.toCryptoKey(KEY_ALGORITHM, false, ['sign']), now);
}

async function createRoot(
  keyFile: string,
  certificateFile: string,
  name: string,
  now: () => number,
): Promise<void> {
  const keys = (await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ O: ['Sallyport'] }, { CN: [name] }],
    notBefore: new Date(now() - BACKDATE),
    notAfter: new Date(now() + ROOT_LIFE),
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  // The certificate goes last: its presence says that the key is there whole.
  writeWhole(keyFile, await exportKey(keys.privateKey));
  writeWhole(certificateFile, `${root.toString('pem')}\n`, 0o644);
}
