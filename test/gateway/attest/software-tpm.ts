// A TPM for tests, in node:crypto: it makes the structures a real one makes, and any that a real one never would.
import {
  constants,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  sign,
} from 'node:crypto';
import { sha256, sized, u8, u16, u32, u64 } from './big-endian.ts';

export type KeyKind = 'rsa' | 'p256' | 'p384';

const POLICY_A = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
const POLICY_B_384 = Buffer.from(
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
  'hex',
);
const SHA256 = 0x000b;
const SHA384 = 0x000c;
const NULL = u16(0x0010);

/** TPMT_PUBLIC, with whatever it is to say. */
export interface Template {
  readonly nameAlg: number;
  readonly attributes: number;
  readonly policy: Buffer;
  readonly symmetric: Buffer;
  readonly scheme: Buffer;
}

const AES_128 = Buffer.concat([u16(6), u16(128), u16(0x43)]);
const AES_256 = Buffer.concat([u16(6), u16(256), u16(0x43)]);
const schemeOf = (algorithm: number, hash = SHA256): Buffer => Buffer.concat([u16(algorithm), u16(hash)]);

export const EK_TEMPLATE: Template = {
  nameAlg: SHA256,
  attributes: 0x000300b2,
  policy: POLICY_A,
  symmetric: AES_128,
  scheme: NULL,
};
const EK_TEMPLATE_384: Template = {
  nameAlg: SHA384,
  attributes: 0x000300f2,
  policy: POLICY_B_384,
  symmetric: AES_256,
  scheme: NULL,
};
const NO_POLICY = { nameAlg: SHA256, policy: Buffer.alloc(0), symmetric: NULL };
export const RSASSA: Buffer = schemeOf(0x14);
const RSAPSS: Buffer = schemeOf(0x16);
export const ECDSA: Buffer = schemeOf(0x18);
export const SESSION_TEMPLATE: Template = { ...NO_POLICY, attributes: 0x00040472, scheme: ECDSA };

export function akTemplate(scheme: Buffer, attributes = 0x00050472): Template {
  return { ...NO_POLICY, attributes, scheme };
}

export function publicArea(key: KeyObject, template: Template): Buffer {
  const jwk = key.export({ format: 'jwk' });
  const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
  const rsa = jwk.kty === 'RSA';
  const head = [u16(rsa ? 1 : 0x23), u16(template.nameAlg), u32(template.attributes), sized(template.policy)];
  const protection = [template.symmetric, template.scheme];
  const rest = rsa
    ? [u16(2048), u32(0), sized(bytes(jwk.n))]
    : [u16(jwk.crv === 'P-384' ? 4 : 3), NULL, sized(bytes(jwk.x)), sized(bytes(jwk.y))];
  return Buffer.concat([...head, ...protection, ...rest]);
}

/** nameAlg || H(public area) */
export function nameOf(area: Buffer): Buffer {
  const algorithm = area.readUInt16BE(2);
  const name = algorithm === SHA384 ? 'sha384' : 'sha256';
  return Buffer.concat([u16(algorithm), createHash(name).update(area).digest()]);
}

function qualified(parent: Buffer, name: Buffer): Buffer {
  const algorithm = name.readUInt16BE(0) === SHA384 ? 'sha384' : 'sha256';
  return Buffer.concat([name.subarray(0, 2), createHash(algorithm).update(parent).update(name).digest()]);
}

export function newKey(kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'P-256' : 'P-384' });
}

/** Everything a TPMS_ATTEST says. */
export interface AttestFields {
  readonly magic: Buffer;
  readonly type: Buffer;
  readonly qualifiedSigner: Buffer;
  readonly extraData: Buffer;
  readonly clock: bigint;
  readonly resetCount: number;
  readonly restartCount: number;
  readonly safe: Buffer;
  readonly firmware: bigint;
  readonly selection: Buffer;
  readonly pcrDigest: Buffer;
  /** Of a certified key: its name and qualified name. */
  readonly certified?: readonly [Buffer, Buffer];
}

/** sha256:0-7, as TPMs write it. */
const SELECTION: Buffer = selection([SHA256, 'ff0000']);

export function selection(...banks: readonly (readonly [bank: number, bitmap: string])[]): Buffer {
  const each = banks.map(([bank, bitmap]) => {
    const bits = Buffer.from(bitmap, 'hex');
    return Buffer.concat([u16(bank), u8(bits.length), bits]);
  });
  return Buffer.concat([u32(banks.length), ...each]);
}

export function attestBytes(fields: AttestFields): Buffer {
  const said = fields.certified?.map(sized) ?? [fields.selection, sized(fields.pcrDigest)];
  return Buffer.concat([
    ...[fields.magic, fields.type, sized(fields.qualifiedSigner), sized(fields.extraData)],
    ...[u64(fields.clock), u32(fields.resetCount), u32(fields.restartCount), fields.safe],
    ...[u64(fields.firmware), ...said],
  ]);
}

/** TPMT_SIGNATURE by `key`, in the scheme given as a TPM writes one. */
export function signatureBytes(data: Buffer, key: KeyObject, scheme: Buffer): Buffer {
  const algorithm = scheme.readUInt16BE(0);
  const hash = scheme.readUInt16BE(2) === 4 ? 'sha1' : 'sha256';
  if (algorithm === 0x18) {
    const raw = sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
    const half = raw.length / 2;
    return Buffer.concat([scheme, sized(raw.subarray(0, half)), sized(raw.subarray(half))]);
  }
  const padding = algorithm === 0x16 ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  return Buffer.concat([scheme, sized(sign(hash, data, { key, padding }))]);
}

export class SoftwareTpm {
  readonly ek: { publicKey: KeyObject; privateKey: KeyObject };
  readonly ak: { publicKey: KeyObject; privateKey: KeyObject };
  readonly session: { publicKey: KeyObject; privateKey: KeyObject };
  readonly scheme: Buffer;
  readonly ekPublic: Buffer;
  readonly akPublic: Buffer;
  readonly sessionPublic: Buffer;
  clock = 1_000_000n;
  resetCount = 3;
  restartCount = 0;
  firmware = 0x0007_0055_0011_cb00n;
  safe = 1;

  constructor(ek: KeyKind = 'p256', ak: 'rsa' | 'pss' | 'ecc' = 'ecc') {
    this.ek = newKey(ek);
    this.ak = newKey(ak === 'ecc' ? 'p256' : 'rsa');
    this.session = newKey('p256');
    this.scheme = { rsa: RSASSA, pss: RSAPSS, ecc: ECDSA }[ak];
    this.ekPublic = publicArea(this.ek.publicKey, ek === 'p384' ? EK_TEMPLATE_384 : EK_TEMPLATE);
    this.akPublic = publicArea(this.ak.publicKey, akTemplate(this.scheme));
    this.sessionPublic = publicArea(this.session.publicKey, SESSION_TEMPLATE);
  }

  get ekQualified(): Buffer {
    return qualified(u32(0x4000000b), nameOf(this.ekPublic));
  }

  get akQualified(): Buffer {
    return qualified(this.ekQualified, nameOf(this.akPublic));
  }

  /** What a quote of these PCRs says. */
  quoteFields(extraData: Buffer, pcrs: readonly Buffer[]): AttestFields {
    return {
      magic: u32(0xff544347),
      type: u16(0x8018),
      qualifiedSigner: this.akQualified,
      extraData,
      clock: this.clock++,
      resetCount: this.resetCount,
      restartCount: this.restartCount,
      safe: u8(this.safe),
      firmware: this.firmware,
      selection: SELECTION,
      pcrDigest: sha256(...pcrs),
    };
  }

  certifyFields(extraData: Buffer, area: Buffer = this.sessionPublic): AttestFields {
    const name = nameOf(area);
    return {
      ...this.quoteFields(extraData, []),
      type: u16(0x8017),
      certified: [name, qualified(this.ekQualified, name)],
    };
  }

  sign(data: Buffer): Buffer {
    return signatureBytes(data, this.ak.privateKey, this.scheme);
  }

  /** TPM2_ActivateCredential. Throws if the credential is for another TPM or another AK. */
  activate(credentialBlob: Buffer, encryptedSecret: Buffer): Buffer {
    const akName = nameOf(this.akPublic);
    const strong = this.ekPublic.readUInt16BE(2) === SHA384;
    const hash = strong ? 'sha384' : 'sha256';
    const kdfa = (seed: Buffer, label: string, context: Buffer, bits: number): Buffer =>
      createHmac(hash, seed)
        .update(Buffer.concat([u32(1), Buffer.from(`${label}\0`), context, u32(bits)]))
        .digest()
        .subarray(0, bits / 8);
    const seed = this.#seed(encryptedSecret, hash);
    const size = credentialBlob.readUInt16BE(0);
    const identity = credentialBlob.subarray(2 + size);
    const hmacKey = kdfa(seed, 'INTEGRITY', Buffer.alloc(0), strong ? 384 : 256);
    const mac = createHmac(hash, hmacKey).update(identity).update(akName).digest();
    if (!mac.equals(credentialBlob.subarray(2, 2 + size))) throw new Error('TPM_RC_INTEGRITY');
    const bits = strong ? 256 : 128;
    const cipher = createDecipheriv(`aes-${bits}-cfb`, kdfa(seed, 'STORAGE', akName, bits), Buffer.alloc(16));
    const plain = Buffer.concat([cipher.update(identity), cipher.final()]);
    if (plain.readUInt16BE(0) !== plain.length - 2) throw new Error('TPM_RC_SIZE');
    return plain.subarray(2);
  }

  #seed(encrypted: Buffer, hash: string): Buffer {
    const label = Buffer.from('IDENTITY\0');
    const { privateKey, publicKey } = this.ek;
    if (publicKey.asymmetricKeyType === 'rsa') {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      return privateDecrypt({ key: privateKey, padding, oaepHash: hash, oaepLabel: label }, encrypted);
    }
    const size = encrypted.readUInt16BE(0);
    const x = encrypted.subarray(2, 2 + size);
    const y = encrypted.subarray(4 + size);
    const own = publicKey.export({ format: 'jwk' });
    const point = createPublicKey({
      format: 'jwk',
      key: { kty: 'EC', crv: own.crv ?? '', x: x.toString('base64url'), y: y.toString('base64url') },
    });
    const shared = diffieHellman({ privateKey, publicKey: point });
    const ownX = Buffer.from(own.x ?? '', 'base64url');
    return createHash(hash)
      .update(Buffer.concat([u32(1), shared, label, x, ownX]))
      .digest();
  }
}
