// A maker's CA for tests: certificates and revocation lists of every right and wrong kind, written in DER by hand.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const tlv = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
};
const seq = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);
const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
const octets = (bytes: Buffer): Buffer => tlv(0x04, bytes);
const bits = (bytes: Buffer, unused = 0): Buffer => tlv(0x03, Buffer.of(unused), bytes);
const TRUE = Buffer.of(1, 1, 0xff);

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const arcs = rest.flatMap((arc) => {
    const bytes = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
    return bytes;
  });
  return tlv(0x06, Buffer.of(first * 40 + second, ...arcs));
}

const name = (common: string): Buffer => seq(tlv(0x31, seq(oid('2.5.4.3'), utf8(common))));
const time = (at: number): Buffer =>
  tlv(0x18, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, '')}`));
/** Below 128, so that one byte is its shortest form. */
const integer = (value: number): Buffer => tlv(0x02, Buffer.of(value));

const ALGORITHMS: Readonly<Record<'sha256' | 'sha1', readonly [string, Buffer]>> = {
  sha256: ['sha256', seq(oid('1.2.840.10045.4.3.2'))],
  sha1: ['sha1', seq(oid('1.2.840.10045.4.1'))],
};

export interface Extension {
  readonly oid: string;
  readonly critical?: boolean;
  readonly value: Buffer;
}

export const basicConstraints = (ca: boolean, pathLength?: number): Extension => ({
  oid: '2.5.29.19',
  critical: true,
  value: seq(...(ca ? [TRUE] : []), ...(pathLength === undefined ? [] : [tlv(0x02, Buffer.of(pathLength))])),
});
/** Named bits from the left: 0x80 digitalSignature, 0x20 keyEncipherment, 0x08 keyAgreement, 0x04 keyCertSign. */
export const keyUsage = (usage: number): Extension => ({
  oid: '2.5.29.15',
  critical: true,
  value: bits(Buffer.of(usage), 1),
});
export const purpose = (dotted = '2.23.133.8.1'): Extension => ({
  oid: '2.5.29.37',
  value: seq(oid(dotted)),
});
const TPM_NAMES = [
  ['2.23.133.2.1', 'id:53594C4C'],
  ['2.23.133.2.2', 'Model 7'],
  ['2.23.133.2.3', 'id:00070055'],
] as const;
export const tpmName = (parts: readonly (readonly [string, string])[] = TPM_NAMES): Extension => {
  const sets = parts.map(([type, value]) => tlv(0x31, seq(oid(type), utf8(value))));
  return { oid: '2.5.29.17', critical: true, value: seq(tlv(0xa4, seq(...sets))) };
};
export const UNKNOWN_CRITICAL: Extension = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: seq() };

export interface CertificateFields {
  readonly subject?: string;
  readonly serial?: number;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly spki: Buffer;
  readonly extensions: readonly Extension[];
  readonly algorithm?: keyof typeof ALGORITHMS;
}

const spkiOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'spki' });
const NOW = Date.UTC(2026, 5, 1);
const YEAR = 365 * 86_400_000;

export class EndorsementCa {
  readonly keys: { publicKey: KeyObject; privateKey: KeyObject } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
  });
  readonly common: string;
  readonly certificate: Buffer;

  /** Signed by itself, or by `issuer`. */
  constructor(common: string, issuer?: EndorsementCa, extensions?: readonly Extension[]) {
    this.common = common;
    this.certificate = (issuer ?? this).issue({
      subject: common,
      spki: spkiOf(this.keys.publicKey),
      extensions: extensions ?? [basicConstraints(true), keyUsage(0x06)],
    });
  }

  issue(fields: CertificateFields): Buffer {
    const { subject = '', serial = 7, notBefore = NOW - YEAR, notAfter = NOW + YEAR } = fields;
    const [hash, algorithm] = ALGORITHMS[fields.algorithm ?? 'sha256'];
    const extensions = fields.extensions.map(({ oid: id, critical = false, value }) =>
      seq(oid(id), ...(critical ? [TRUE] : []), octets(value)),
    );
    const body = seq(
      ...[tlv(0xa0, tlv(0x02, Buffer.of(2))), integer(serial), algorithm, name(this.common ?? subject)],
      ...[seq(time(notBefore), time(notAfter)), subject === '' ? seq() : name(subject), fields.spki],
      tlv(0xa3, seq(...extensions)),
    );
    return seq(body, algorithm, bits(sign(hash, body, this.keys.privateKey)));
  }

  /** The certificate of an endorsement key; `changed` replaces extensions by name or fields. */
  endorse(ek: KeyObject, changed: Partial<CertificateFields> = {}): Buffer {
    const usage = ek.asymmetricKeyType === 'rsa' ? 0x20 : 0x08;
    const extensions = [basicConstraints(false), keyUsage(usage), purpose(), tpmName()];
    return this.issue({ spki: spkiOf(ek), extensions, ...changed });
  }

  /** A whole, direct revocation list. */
  revoke(serials: readonly number[], nextUpdate: number = NOW + YEAR, critical?: string): Buffer {
    const [hash, algorithm] = ALGORITHMS.sha256;
    const entries = serials.map((serial) => seq(integer(serial), time(NOW)));
    const extension = critical === undefined ? [] : [tlv(0xa0, seq(seq(oid(critical), TRUE, octets(seq()))))];
    const body = seq(
      ...[tlv(0x02, Buffer.of(1)), algorithm, name(this.common), time(NOW - YEAR), time(nextUpdate)],
      ...(entries.length === 0 ? [] : [seq(...entries)]),
      ...extension,
    );
    return seq(body, algorithm, bits(sign(hash, body, this.keys.privateKey)));
  }
}

/** Extensions of an EK certificate, with one left out or another in its place. */
export function endorsementExtensions(
  type: 'rsa' | 'ecc',
  changed: {
    readonly without?: string;
    readonly more?: readonly Extension[];
  } = {},
): Extension[] {
  const all = [basicConstraints(false), keyUsage(type === 'rsa' ? 0x20 : 0x08), purpose(), tpmName()];
  const more = changed.more ?? [];
  const replaced = new Set([...more.map((one) => one.oid), changed.without]);
  return [...all.filter((one) => !replaced.has(one.oid)), ...more];
}

export function fingerprint(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}
