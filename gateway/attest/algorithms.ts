// Numbers of the TPM 2.0 specification (TCG Algorithm Registry, TPM 2.0 Part 2) that the verifier knows.

export const ALG = {
  RSA: 0x0001,
  SHA1: 0x0004,
  AES: 0x0006,
  SHA256: 0x000b,
  SHA384: 0x000c,
  SHA512: 0x000d,
  NULL: 0x0010,
  RSASSA: 0x0014,
  RSAPSS: 0x0016,
  ECDSA: 0x0018,
  ECC: 0x0023,
  CFB: 0x0043,
} as const;

export const CURVE = { P256: 0x0003, P384: 0x0004 } as const;

export const TAG = { CERTIFY: 0x8017, QUOTE: 0x8018 } as const;

/** TPM_GENERATED_VALUE: begins whatever a restricted key signs that the TPM itself made. */
export const GENERATED = 0xff544347;

/** TPM_RH_ENDORSEMENT, the parent of every endorsement key. */
export const ENDORSEMENT_HIERARCHY = 0x4000000b;

/** TPMA_OBJECT */
export const ATTRIBUTE: Readonly<
  Record<
    'FIXED_TPM' | 'FIXED_PARENT' | 'SENSITIVE_DATA_ORIGIN' | 'RESTRICTED' | 'DECRYPT' | 'SIGN' | 'RESERVED',
    number
  >
> = {
  FIXED_TPM: 1 << 1,
  FIXED_PARENT: 1 << 4,
  SENSITIVE_DATA_ORIGIN: 1 << 5,
  RESTRICTED: 1 << 16,
  DECRYPT: 1 << 17,
  SIGN: 1 << 18,
  /** Bits that no TPM sets: 0, 3, 8, 9, 12 to 15 and 20 to 31. */
  RESERVED: 0xfff0f309 | 0,
};

/** Node's name and the size in bytes of a hash that Names and signatures may use. */
export interface Hash {
  readonly name: 'sha256' | 'sha384' | 'sha512';
  readonly size: number;
}

const HASHES: ReadonlyMap<number, Hash> = new Map([
  [ALG.SHA256, { name: 'sha256', size: 32 }],
  [ALG.SHA384, { name: 'sha384', size: 48 }],
  [ALG.SHA512, { name: 'sha512', size: 64 }],
]);

/** Undefined for SHA-1 and for whatever is not known: neither may carry trust. */
export function hashOf(algorithm: number): Hash | undefined {
  return HASHES.get(algorithm);
}
