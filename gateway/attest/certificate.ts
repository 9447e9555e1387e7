// X.509 certificates (RFC 5280) as TPM makers issue them, taken apart without trusting any part. Node's own reader is
// not enough: its `ca` is not basicConstraints, and it keeps no critical extensions.
import {
  bitStringBytes,
  booleanOf,
  DER,
  DerReader,
  type Element,
  integerHex,
  namedBits,
  oid,
  smallInteger,
  timeOf,
  wholeElement,
} from './der.ts';
import { parseSigned, type Signed } from './signed.ts';

/** Bits of keyUsage, as `namedBits` counts them. */
export const KEY_USAGE = {
  DIGITAL_SIGNATURE: 0x8000,
  KEY_ENCIPHERMENT: 0x2000,
  KEY_AGREEMENT: 0x0800,
  KEY_CERT_SIGN: 0x0400,
  CRL_SIGN: 0x0200,
} as const;

/** tcg-kp-EKCertificate */
export const EK_PURPOSE: string = oid('2.23.133.8.1');
/** id-kp-clientAuth */
export const CLIENT_AUTH: string = oid('1.3.6.1.5.5.7.3.2');

/** Who made a TPM, as its certificate says (TCG EK Credential Profile, section 3.2.9). */
export interface TpmName {
  readonly manufacturer: string;
  readonly model: string;
  readonly version: string;
}

export interface Certificate {
  readonly der: Buffer;
  readonly signed: Signed;
  readonly serial: string;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  /** Undefined without the extension. */
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength?: number } | undefined;
  readonly keyUsage: number | undefined;
  readonly purposes: readonly string[] | undefined;
  readonly tpm: TpmName | undefined;
  /** subjectAltName's URIs, byte for byte. */
  readonly uris: readonly string[];
  readonly authorityKeyId: string | undefined;
  readonly subjectKeyId: string | undefined;
  /** certificatePolicies: what its issuer says of how it was issued. */
  readonly policies: readonly string[];
  /** The value of nameConstraints, not looked into: whoever follows a chain through it must, or refuse. */
  readonly nameConstraints: Buffer | undefined;
  readonly unknownCritical: boolean;
}

interface Extensions {
  basicConstraints?: Certificate['basicConstraints'];
  keyUsage?: number;
  purposes?: readonly string[];
  tpm?: TpmName;
  uris?: readonly string[];
  authorityKeyId?: string;
  subjectKeyId?: string;
  policies?: readonly string[];
  nameConstraints?: Buffer;
  unknownCritical: boolean;
}

/** Throws DerError. */
export function parseCertificate(der: Buffer): Certificate {
  const signed = parseSigned(der);
  const body = new DerReader(wholeElement(signed.body, DER.SEQUENCE).content);
  const version = smallInteger(wholeElement(body.next(0xa0).content, DER.INTEGER));
  const serial = integerHex(body.next(DER.INTEGER));
  const innerAlgorithm = body.next(DER.SEQUENCE).raw;
  const issuer = body.next(DER.SEQUENCE).raw;
  const validity = body.enter(DER.SEQUENCE);
  const notBefore = timeOf(validity);
  const notAfter = timeOf(validity);
  validity.end();
  const subject = body.next(DER.SEQUENCE).raw;
  const spki = body.next(DER.SEQUENCE).raw;
  const extensions = body.optional(0xa3);
  body.end();
  const known = readExtensions(extensions);
  // Certificates before v3 have no extensions, so nothing says what they are for; the inner algorithm is the signed one.
  const odd = version !== 2 || !innerAlgorithm.equals(signed.algorithm);
  return {
    ...{ der, signed, serial, issuer, subject, notBefore, notAfter, spki },
    basicConstraints: known.basicConstraints,
    keyUsage: known.keyUsage,
    purposes: known.purposes,
    tpm: known.tpm,
    uris: known.uris ?? [],
    authorityKeyId: known.authorityKeyId,
    subjectKeyId: known.subjectKeyId,
    policies: known.policies ?? [],
    nameConstraints: known.nameConstraints,
    unknownCritical: known.unknownCritical || odd,
  };
}

const READERS = new Map<string, (value: Buffer, extensions: Extensions) => void>([
  [
    oid('2.5.29.19'),
    (value, extensions) => {
      extensions.basicConstraints = readBasicConstraints(value);
    },
  ],
  [
    oid('2.5.29.15'),
    (value, extensions) => {
      extensions.keyUsage = namedBits(wholeElement(value, DER.BIT_STRING));
    },
  ],
  [
    oid('2.5.29.37'),
    (value, extensions) => {
      const list = new DerReader(wholeElement(value, DER.SEQUENCE).content);
      const purposes: string[] = [];
      while (!list.atEnd) purposes.push(list.next(DER.OID).content.toString('hex'));
      extensions.purposes = purposes;
    },
  ],
  [
    oid('2.5.29.17'),
    (value, extensions) => {
      extensions.uris = readUris(value);
      const tpm = readTpmName(value);
      if (tpm !== undefined) extensions.tpm = tpm;
    },
  ],
  [
    oid('2.5.29.35'),
    (value, extensions) => {
      const id = new DerReader(wholeElement(value, DER.SEQUENCE).content).optional(0x80);
      if (id !== undefined) extensions.authorityKeyId = id.content.toString('hex');
    },
  ],
  [
    oid('2.5.29.14'),
    (value, extensions) => {
      extensions.subjectKeyId = wholeElement(value, DER.OCTET_STRING).content.toString('hex');
    },
  ],
  [
    oid('2.5.29.32'),
    (value, extensions) => {
      const list = new DerReader(wholeElement(value, DER.SEQUENCE).content);
      const policies: string[] = [];
      while (!list.atEnd) policies.push(list.enter(DER.SEQUENCE).next(DER.OID).content.toString('hex'));
      extensions.policies = policies;
    },
  ],
  [
    oid('2.5.29.30'),
    (value, extensions) => {
      extensions.nameConstraints = value;
    },
  ],
]);

function readExtensions(outer: Element | undefined): Extensions {
  const extensions: Extensions = { unknownCritical: false };
  if (outer === undefined) return extensions;
  const list = new DerReader(wholeElement(outer.content, DER.SEQUENCE).content);
  const seen = new Set<string>();
  while (!list.atEnd) {
    const one = list.enter(DER.SEQUENCE);
    const name = one.next(DER.OID).content.toString('hex');
    const flag = one.optional(DER.BOOLEAN);
    const critical = flag !== undefined && booleanOf(flag);
    const value = one.next(DER.OCTET_STRING).content;
    one.end();
    const read = READERS.get(name);
    // A second copy could say something else than the first to another reader (RFC 5280, section 4.2).
    if (seen.has(name) || (read === undefined && critical)) extensions.unknownCritical = true;
    else read?.(value, extensions);
    seen.add(name);
  }
  return extensions;
}

function readBasicConstraints(value: Buffer): { ca: boolean; pathLength?: number } {
  const fields = new DerReader(wholeElement(value, DER.SEQUENCE).content);
  const flag = fields.optional(DER.BOOLEAN);
  const length = fields.optional(DER.INTEGER);
  fields.end();
  const ca = flag !== undefined && booleanOf(flag);
  return length === undefined ? { ca } : { ca, pathLength: smallInteger(length) };
}

const MANUFACTURER = oid('2.23.133.2.1');
const MODEL = oid('2.23.133.2.2');
const VERSION = oid('2.23.133.2.3');
const DIRECTORY_NAME = 0xa4;

const URI_NAME = 0x86;

function readUris(value: Buffer): string[] {
  const names = new DerReader(wholeElement(value, DER.SEQUENCE).content);
  const uris: string[] = [];
  while (!names.atEnd) {
    const name = names.any();
    if (name.tag === URI_NAME) uris.push(name.content.toString('latin1'));
  }
  return uris;
}

/** subjectAltName's directoryName with all three attributes of a TPM, or undefined. */
function readTpmName(value: Buffer): TpmName | undefined {
  const names = new DerReader(wholeElement(value, DER.SEQUENCE).content);
  const attributes = new Map<string, string>();
  while (!names.atEnd) {
    const name = names.any();
    if (name.tag !== DIRECTORY_NAME) continue;
    const sets = new DerReader(wholeElement(name.content, DER.SEQUENCE).content);
    while (!sets.atEnd) {
      const set = sets.enter(DER.SET);
      while (!set.atEnd) {
        const attribute = set.enter(DER.SEQUENCE);
        const type = attribute.next(DER.OID).content.toString('hex');
        attributes.set(type, printable(attribute.any().content));
      }
    }
  }
  const manufacturer = attributes.get(MANUFACTURER);
  const model = attributes.get(MODEL);
  const version = attributes.get(VERSION);
  if (manufacturer === undefined || model === undefined || version === undefined) return undefined;
  return { manufacturer, model, version };
}

/** Goes into events and pages, so only what is harmless there. */
function printable(bytes: Buffer): string {
  return bytes.toString('latin1', 0, 64).replaceAll(/[^ -~]/g, '?');
}

const RSA_KEYS = new Set([oid('1.2.840.113549.1.1.1'), oid('1.2.840.113549.1.1.7')]);
const EC_KEY = oid('1.2.840.10045.2.1');
const CURVES = new Map([
  [oid('1.2.840.10045.3.1.7'), 'P-256' as const],
  [oid('1.3.132.0.34'), 'P-384' as const],
]);

/** The public key of a certificate. OpenSSL would refuse RSA keys that makers mark for OAEP only (RFC 4055). */
export type CertifiedKey =
  | { readonly type: 'rsa'; readonly modulus: Buffer }
  | { readonly type: 'ecc'; readonly curve: 'P-256' | 'P-384'; readonly point: Buffer };

/** Undefined for keys that no endorsement key accepted here has. Throws DerError. */
export function certifiedKey(spki: Buffer): CertifiedKey | undefined {
  const outer = new DerReader(wholeElement(spki, DER.SEQUENCE).content);
  const algorithm = outer.enter(DER.SEQUENCE);
  const bits = bitStringBytes(outer.next(DER.BIT_STRING));
  outer.end();
  const name = algorithm.next(DER.OID).content.toString('hex');
  if (RSA_KEYS.has(name)) {
    const numbers = new DerReader(wholeElement(bits, DER.SEQUENCE).content);
    const modulus = numbers.next(DER.INTEGER).content;
    const exponent = numbers.next(DER.INTEGER).content.toString('hex');
    numbers.end();
    return exponent === '010001'
      ? { type: 'rsa', modulus: modulus.subarray(modulus[0] === 0 ? 1 : 0) }
      : undefined;
  }
  const curve = name === EC_KEY ? CURVES.get(algorithm.next(DER.OID).content.toString('hex')) : undefined;
  return curve && { type: 'ecc', curve, point: bits };
}
