// The connector's key and certificate on disk. The key is made here, is never sent anywhere, and is refused when
// anybody but its owner could read it.
import { X509Certificate } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { holdsCertificate } from '#connectors/wire/certificates';
import { looseness } from '#connectors/wire/private-file';

/** What a connector shows and believes. PEM. */
export interface Identity {
  readonly key: string;
  /** The leaf, then the intermediate above it. */
  readonly certificate: string;
  /** The authorities that the gateway's certificate must come from. */
  readonly ca: string;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export type StateFailure = 'loose-mode' | 'unreadable';

/** The state directory cannot be used. The message says what to do. */
export class StateError extends Error {
  readonly code: StateFailure;

  constructor(code: StateFailure, message: string) {
    super(message);
    this.name = 'StateError';
    this.code = code;
  }
}

// Key and certificate are one file, so that a crash can never leave one without the other.
const IDENTITY = 'identity.pem';
const AUTHORITY = 'ca.pem';
/** The leaf and what it is shown with. */
const CERTIFICATES = /(?:-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*)+/;
/** In the file itself, or wrapped by the TPM that it cannot leave. */
const KEY = /-----BEGIN ((?:TSS2 )?PRIVATE KEY)-----[\s\S]+?-----END \1-----\n?/;

function requirePrivate(path: string): void {
  const loose = looseness(path);
  if (loose !== undefined) throw new StateError('loose-mode', loose);
}

function writeWhole(path: string, content: string): void {
  const next = `${path}.next`;
  const file = openSync(next, 'w', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, path);
}

/** The identity in `directory`, or undefined when there is none yet. @throws {StateError} */
export function loadIdentity(directory: string): Identity | undefined {
  prepare(directory);
  let both: string;
  let ca: string;
  try {
    both = readFileSync(join(directory, IDENTITY), 'utf8');
    ca = readFileSync(join(directory, AUTHORITY), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StateError('unreadable', `${directory}: ${(error as Error).message}`);
  }
  requirePrivate(join(directory, IDENTITY));
  const key = KEY.exec(both)?.[0];
  const certificate = CERTIFICATES.exec(both)?.[0];
  if (key === undefined || certificate === undefined) {
    const message = `${join(directory, IDENTITY)} does not hold a key and a certificate. Remove it and enrol again.`;
    throw new StateError('unreadable', message);
  }
  if (!holdsCertificate(ca)) {
    const message = `${join(directory, AUTHORITY)} does not hold the gateway’s authority. Remove the identity and enrol again.`;
    throw new StateError('unreadable', message);
  }
  return identityOf(key, certificate, ca);
}

/** Puts the parts together. @throws {StateError} when the certificate cannot be read. */
export function identityOf(key: string, certificate: string, ca: string): Identity {
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    throw new StateError(
      'unreadable',
      'the certificate cannot be read. Remove the identity and enrol again.',
    );
  }
  return {
    ...{ key, certificate, ca },
    notBefore: Date.parse(parsed.validFrom),
    notAfter: Date.parse(parsed.validTo),
  };
}

/** Makes the directory if need be. @throws {StateError} when others could read it. */
function prepare(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StateError('unreadable', `${directory}: ${(error as Error).message}`);
  }
  requirePrivate(directory);
}

/** Replaces what was there, whole or not at all. */
export function saveIdentity(directory: string, { key, certificate, ca }: Identity): void {
  prepare(directory);
  writeWhole(join(directory, AUTHORITY), ca);
  writeWhole(join(directory, IDENTITY), `${key.trimEnd()}\n${certificate.trimEnd()}\n`);
}
