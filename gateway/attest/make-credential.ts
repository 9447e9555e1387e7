// TPM2_MakeCredential without a TPM: a secret that only the TPM with this EK finds, and only if it holds this AK
// (TPM 2.0 Part 1, "Credential Protection"; key derivation in "KDFa" and "KDFe").
import {
  constants,
  createCipheriv,
  createECDH,
  createHmac,
  type ECDH,
  hash,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type { Hash } from './algorithms.ts';
import { type EccPublic, leftPad, type PublicArea } from './public-area.ts';

/** `credentialBlob` is TPMS_ID_OBJECT, `encryptedSecret` the content of TPM2B_ENCRYPTED_SECRET. */
export interface Credential {
  readonly credentialBlob: Buffer;
  readonly encryptedSecret: Buffer;
}

const IDENTITY = 'IDENTITY\0';

/** `ek` must have passed checkEndorsementKey; `secret` is at most as long as the hash of its Name. */
export function makeCredential(ek: PublicArea, akName: Buffer, secret: Buffer): Credential {
  const algorithm = ek.nameAlgorithm;
  const { seed, encryptedSecret } = ek.unique.type === 'rsa' ? rsaSeed(ek) : eccSeed(ek.unique, algorithm);
  const storageKey = kdfa(algorithm, seed, 'STORAGE', akName, ek.symmetricBits);
  const cipher = createCipheriv(`aes-${ek.symmetricBits}-cfb`, storageKey, Buffer.alloc(16));
  const identity = Buffer.concat([cipher.update(sized(secret)), cipher.final()]);
  const integrityKey = kdfa(algorithm, seed, 'INTEGRITY', Buffer.alloc(0), algorithm.size * 8);
  const integrity = createHmac(algorithm.name, integrityKey).update(identity).update(akName).digest();
  return { credentialBlob: Buffer.concat([sized(integrity), identity]), encryptedSecret };
}

function rsaSeed(ek: PublicArea): { seed: Buffer; encryptedSecret: Buffer } {
  const { size, name } = ek.nameAlgorithm;
  const seed = randomBytes(size);
  const options = {
    key: ek.key,
    padding: constants.RSA_PKCS1_OAEP_PADDING,
    oaepHash: name,
    oaepLabel: Buffer.from(IDENTITY),
  };
  return { seed, encryptedSecret: publicEncrypt(options, seed) };
}

const CURVES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1' } as const;

function eccSeed({ curve, x, y }: EccPublic, algorithm: Hash): { seed: Buffer; encryptedSecret: Buffer } {
  const ephemeral: ECDH = createECDH(CURVES[curve]);
  const point = ephemeral.generateKeys();
  const shared = leftPad(ephemeral.computeSecret(Buffer.concat([Buffer.of(4), x, y])), x.length);
  const own = { x: point.subarray(1, 1 + x.length), y: point.subarray(1 + x.length) };
  // One round gives as many bits as the hash has, which is what is asked for.
  const seed = hash(
    algorithm.name,
    Buffer.concat([counter(1), shared, Buffer.from(IDENTITY), own.x, x]),
    'buffer',
  );
  return { seed, encryptedSecret: Buffer.concat([sized(own.x), sized(own.y)]) };
}

/** One round of KDFa: `bits` is at most the size of the hash. */
function kdfa({ name }: Hash, key: Buffer, label: string, context: Buffer, bits: number): Buffer {
  const digest = createHmac(name, key)
    .update(Buffer.concat([counter(1), Buffer.from(`${label}\0`), context, counter(bits)]))
    .digest();
  return digest.subarray(0, bits / 8);
}

function counter(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sized(bytes: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}
