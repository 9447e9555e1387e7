// The certificates and revocation lists an authority can make (RFC 5280): a root, an intermediate, a leaf, a CRL. What
// is in them is said here and nowhere else; nothing of a request but its key and checked names gets in.
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { certificateRequest } from '#connectors/wire/certificate-request';
import {
  bits,
  context,
  element,
  identifier,
  integer,
  namedBits,
  octets,
  sequence,
  set,
  time,
  utf8,
  yes,
} from '#connectors/wire/der-writer';
import type { KeyOrigin } from '#policy/input';
import { KEY_IN_TPM } from './key-origin.ts';
import type { Signer } from './signer/signer.ts';

/** Certificates start a little in the past, so that a client whose clock lags accepts them. */
export const BACKDATE: number = 5 * 60_000;
const ECDSA_SHA256 = sequence(identifier('1.2.840.10045.4.3.2'));
const USAGE = { digitalSignature: 0x8000, keyCertSign: 0x0400, cRLSign: 0x0200 } as const;
export const PURPOSES = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const;

/** A subjectAltName. Addresses are told from DNS names by their form. */
export type AltName =
  | { readonly uri: string; readonly host?: never }
  | { readonly host: string; readonly uri?: never };

/** What an intermediate may name: SPIFFE ids of one trust domain, and these hosts and addresses alone. */
export interface Constraints {
  readonly trustDomain: string;
  readonly hosts: readonly string[];
}

/** Who signs: their subject's DER, and their key. */
export interface Issuer {
  readonly subject: Buffer;
  readonly signer: Signer;
}

interface Body {
  readonly serial: Buffer;
  readonly subject: Buffer;
  /** Epoch milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: KeyObject;
}

/** 127 random bits, positive and without a leading zero byte, so every tool prints it alike. */
export function newSerial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** The subject of a certificate of ours. A common name is at most 64 characters long. */
export function nameOf(commonName: string, ours = false): Buffer {
  const attribute = (oid: string, text: string): Buffer => set(sequence(identifier(oid), utf8(text)));
  const organization = ours ? [attribute('2.5.4.10', 'Sallyport')] : [];
  return sequence(...organization, attribute('2.5.4.3', commonName.slice(0, 64)));
}

/** SHA-1 of the key's bits (RFC 5280, section 4.2.1.2): a name for it, not a proof. */
export function keyIdOf(publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // All our keys are on P-256: the last 65 bytes are the point.
  return createHash('sha1').update(spki.subarray(-65)).digest();
}

export function writeRoot(body: Body, signer: Signer): Promise<Buffer> {
  const extensions = [
    extension('2.5.29.19', sequence(yes, integer(1)), true),
    extension('2.5.29.15', namedBits(USAGE.keyCertSign | USAGE.cRLSign), true),
    extension('2.5.29.14', octets(keyIdOf(body.publicKey))),
  ];
  return certificate(body, { subject: body.subject, signer }, extensions);
}

export function writeIntermediate(
  body: Body,
  issuer: Issuer,
  constraints: Constraints | undefined,
): Promise<Buffer> {
  const extensions = [
    extension('2.5.29.19', sequence(yes, integer(0)), true),
    extension('2.5.29.15', namedBits(USAGE.keyCertSign | USAGE.cRLSign), true),
    ...(constraints === undefined ? [] : [extension('2.5.29.30', constraintsOf(constraints), true)]),
    extension('2.5.29.14', octets(keyIdOf(body.publicKey))),
    authorityKeyId(issuer),
  ];
  return certificate(body, issuer, extensions);
}

export interface LeafBody extends Body {
  readonly names: readonly AltName[];
  readonly purpose: keyof typeof PURPOSES;
  /** Where the key was proved to be. */
  readonly key: KeyOrigin;
}

export function writeLeaf(body: LeafBody, issuer: Issuer): Promise<Buffer> {
  const names = body.names.map((name) =>
    name.uri === undefined ? hostName(name.host) : context(6, Buffer.from(name.uri, 'latin1')),
  );
  const extensions = [
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.15', namedBits(USAGE.digitalSignature), true),
    extension('2.5.29.37', sequence(identifier(PURPOSES[body.purpose]))),
    extension('2.5.29.17', sequence(...names)),
    ...(body.key === 'tpm' ? [extension('2.5.29.32', sequence(sequence(identifier(KEY_IN_TPM))))] : []),
    extension('2.5.29.14', octets(keyIdOf(body.publicKey))),
    authorityKeyId(issuer),
  ];
  return certificate(body, issuer, extensions);
}

/** One entry of a CRL. `serial`: hex. */
export interface RevokedSerial {
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** `number` grows with each list of one issuer. Times are epoch milliseconds. */
export async function writeCrl(
  issuer: Issuer,
  revoked: readonly RevokedSerial[],
  { number, thisUpdate, nextUpdate }: { number: number; thisUpdate: number; nextUpdate: number },
): Promise<Buffer> {
  const entries = revoked.map(({ serial, at }) => sequence(integer(Buffer.from(serial, 'hex')), time(at)));
  const extensions = sequence(authorityKeyId(issuer), extension('2.5.29.20', integer(number)));
  return signed(
    sequence(
      integer(1),
      ECDSA_SHA256,
      issuer.subject,
      time(thisUpdate),
      time(nextUpdate),
      // An empty list must not be there at all (RFC 5280, section 5.1.2.6).
      ...(entries.length === 0 ? [] : [sequence(...entries)]),
      context(0, extensions, true),
    ),
    issuer.signer,
  );
}

/** PKCS#10 with which an intermediate asks an offline root: proof of possession, and no wishes. */
export function writeRequest(subject: Buffer, signer: Signer): Promise<Buffer> {
  const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
  return certificateRequest(spki, (data) => signer.sign(data), subject);
}

function certificate(body: Body, issuer: Issuer, extensions: readonly Buffer[]): Promise<Buffer> {
  return signed(
    sequence(
      context(0, integer(2), true),
      integer(body.serial),
      ECDSA_SHA256,
      issuer.subject,
      sequence(time(body.notBefore), time(body.notAfter)),
      body.subject,
      body.publicKey.export({ type: 'spki', format: 'der' }),
      context(3, sequence(...extensions), true),
    ),
    issuer.signer,
  );
}

async function signed(body: Buffer, signer: Signer): Promise<Buffer> {
  return sequence(body, ECDSA_SHA256, bits(await signer.sign(body)));
}

function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(identifier(oid), ...(critical ? [yes] : []), octets(value));
}

function authorityKeyId({ signer }: Issuer): Buffer {
  return extension('2.5.29.35', sequence(context(0, keyIdOf(signer.publicKey))));
}

function hostName(host: string): Buffer {
  return isIP(host) === 0 ? context(2, Buffer.from(host, 'latin1')) : context(7, addressBytes(host));
}

/**
 * The extension's value. A kind of name that no subtree speaks of would be free (RFC 5280, section 4.2.1.10): each kind
 * we never issue is ruled out whole, hosts too where there are none.
 */
export function constraintsOf({ trustDomain, hosts }: Constraints): Buffer {
  const dns = hosts.filter((host) => isIP(host) === 0).sort();
  const addresses = hosts.filter((host) => isIP(host) !== 0).sort();
  const subtree = (name: Buffer): Buffer => sequence(name);
  const permitted = [
    ...dns.map((host) => subtree(context(2, Buffer.from(host, 'latin1')))),
    ...addresses.map((host) => {
      const bytes = addressBytes(host);
      return subtree(context(7, Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)])));
    }),
    subtree(context(6, Buffer.from(trustDomain, 'latin1'))),
  ];
  const nothing = Buffer.alloc(0);
  const v4 = addresses.some((host) => isIP(host) === 4);
  const v6 = addresses.some((host) => isIP(host) === 6);
  const excluded = [
    subtree(context(1, nothing)),
    ...(dns.length === 0 ? [subtree(context(2, nothing))] : []),
    ...(v4 || v6 ? [] : [subtree(context(7, Buffer.alloc(8))), subtree(context(7, Buffer.alloc(32)))]),
  ];
  return sequence(
    element(0xa0, ...permitted),
    ...(excluded.length === 0 ? [] : [element(0xa1, ...excluded)]),
  );
}

function addressBytes(host: string): Buffer {
  if (isIP(host) === 4) return Buffer.from(host.split('.').map(Number));
  // The URL parser writes an IPv6 address in its one canonical form, with at most one gap.
  const text = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const after = groups(tail ?? '');
  const gap = tail === undefined ? 0 : 8 - groups(head).length - after.length;
  const all = [...groups(head), ...Array<string>(gap).fill('0'), ...after];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
