// The key and the certificate with which a person's OpenSSH gets into an app, as files side by side: made where they are
// missing, asked for anew where the certificate ends soon.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { credentialsFile } from '#connectors/device/credentials';
import { askCertificate } from '#connectors/device/ssh-certificate';
import { SshFormatError } from '#gateway/change/ssh-reader';
import { readSshCertificate, type SshCertificate } from '#gateway/pki/ssh/certificate';
import { writeWhole } from '#gateway/state/private-files';
import type { SignedIn } from './signed-in.ts';
import { makeSshKey, publicKeyOf } from './ssh-keygen.ts';

/** A certificate that ends within this time is not used for a new connection, in milliseconds. */
const SOON = 60_000;

/** There is no certificate to use. `message` says why, and what to do. */
export class SshCertificateError extends Error {
  readonly code = 'no-certificate';
}

export interface SshFiles {
  /** The private key, which may also be in an agent or a security key. */
  readonly key: string;
  readonly publicKey: string;
  readonly certificate: string;
}

/** Where the files for `app` are; `key`: a key of the person's own, its private or its public file. */
export function sshFiles(app: string, key?: string): SshFiles {
  const own = key?.replace(/\.pub$/, '') ?? join(dirname(credentialsFile(process.env)), 'ssh', app);
  return { key: own, publicKey: `${own}.pub`, certificate: `${own}-cert.pub` };
}

/** The certificate that is there, if it can be used for a while yet. */
export function usable({ publicKey, certificate }: SshFiles, now: number): SshCertificate | undefined {
  if (!existsSync(certificate) || !existsSync(publicKey)) return undefined;
  try {
    const read = readSshCertificate(blobOf(readFileSync(certificate, 'utf8')));
    const ours = read.key.equals(blobOf(readFileSync(publicKey, 'utf8')));
    return ours && read.validBefore * 1000 > now + SOON ? read : undefined;
  } catch (error) {
    if (!(error instanceof SshFormatError)) throw error;
    return undefined;
  }
}

/** Asks for a certificate and keeps it. Throws SshCertificateError, SigningError, ConnectError, TpmError. */
export async function obtain(
  app: string,
  files: SshFiles,
  { credentials, agent, device }: SignedIn,
): Promise<SshCertificate> {
  if (!existsSync(files.publicKey)) {
    if (files.key !== sshFiles(app).key)
      throw new SshCertificateError(`${files.publicKey} is not there: name your SSH key, or leave --key out`);
    mkdirSync(dirname(files.key), { recursive: true, mode: 0o700 });
    if (!existsSync(files.key)) makeSshKey(files.key, `sallyport-${app}`);
    // Several may be at it, as when many an ssh is started at once, or one may have been cut off here.
    writeWhole(files.publicKey, publicKeyOf(files.key), 0o644);
  }
  const line = readFileSync(files.publicKey, 'utf8').trim();
  const certificate = await askCertificate({ app, key: line }, credentials, agent, device);
  let read: SshCertificate;
  try {
    read = readSshCertificate(blobOf(certificate));
  } catch (cause) {
    if (!(cause instanceof SshFormatError)) throw cause;
    throw new SshCertificateError(`${credentials.portal} sent no certificate: ${cause.message}`, { cause });
  }
  if (!read.key.equals(blobOf(line)))
    throw new SshCertificateError(`${credentials.portal} sent a certificate for another key`);
  writeWhole(files.certificate, `${certificate} sallyport-${app}\n`, 0o644);
  return read;
}

/** The second word of a line. */
function blobOf(line: string): Buffer {
  return Buffer.from(line.split(' ')[1] ?? '', 'base64');
}
