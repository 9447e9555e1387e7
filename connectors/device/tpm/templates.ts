// The public areas this attester asks a TPM for: TPMT_PUBLIC of endorsement, attestation and session keys
// (TCG EK Credential Profile 2.5, annex B; TPM 2.0 part 2, 12.2).
import { sized, u16, u32 } from './marshal.ts';

export const ALG: Readonly<
  Record<'aes' | 'sha256' | 'sha384' | 'null' | 'ecdsa' | 'rsa' | 'ecc' | 'cfb', number>
> = {
  aes: 0x6,
  sha256: 0xb,
  sha384: 0xc,
  null: 0x10,
  ecdsa: 0x18,
  rsa: 0x1,
  ecc: 0x23,
  cfb: 0x43,
};
const CURVE = { p256: 0x3, p384: 0x4 } as const;
/** TPMA_OBJECT: this object may be used with its (empty) password. */
const USER_WITH_AUTH = 1 << 6;

/** PolicySecret(TPM_RH_ENDORSEMENT): who may use an EK of the low range. */
const POLICY_A = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
/** PolicyB of the profile for SHA-384, of the EKs of the high range. */
const POLICY_B_384 = Buffer.from(
  'b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
  'hex',
);

/** How a kind of EK is found and made. */
export interface EkKind {
  readonly name: string;
  /** NV index of its certificate. */
  readonly certificate: number;
  /** Where setup tools leave it. */
  readonly persistent: number;
  /** TPMT_PUBLIC of TPM2_CreatePrimary. */
  readonly template: Buffer;
}

function publicArea(
  type: number,
  nameAlg: number,
  attributes: number,
  policy: Buffer,
  rest: readonly Buffer[],
): Buffer {
  return Buffer.concat([u16(type), u16(nameAlg), u32(attributes), sized(policy), ...rest]);
}

const aes = (bits: number): Buffer => Buffer.concat([u16(ALG.aes), u16(bits), u16(ALG.cfb)]);
const nothing = u16(ALG.null);
const zeros = (length: number): Buffer => sized(Buffer.alloc(length));

/** In the order in which they are looked for: ECC is quicker, and what newer TPMs come with. */
export const EK_KINDS: readonly EkKind[] = [
  {
    name: 'P-384',
    certificate: 0x01c00016,
    persistent: 0x81010016,
    template: publicArea(ALG.ecc, ALG.sha384, 0x000300f2, POLICY_B_384, [
      aes(256),
      nothing,
      u16(CURVE.p384),
      nothing,
      zeros(0),
      zeros(0),
    ]),
  },
  {
    name: 'P-256',
    certificate: 0x01c0000a,
    persistent: 0x81010002,
    template: publicArea(ALG.ecc, ALG.sha256, 0x000300b2, POLICY_A, [
      aes(128),
      nothing,
      u16(CURVE.p256),
      nothing,
      zeros(32),
      zeros(32),
    ]),
  },
  {
    name: 'RSA-2048',
    certificate: 0x01c00002,
    persistent: 0x81010001,
    template: publicArea(ALG.rsa, ALG.sha256, 0x000300b2, POLICY_A, [
      aes(128),
      nothing,
      u16(2048),
      u32(0),
      zeros(256),
    ]),
  },
];

const signing = (attributes: number): Buffer =>
  publicArea(ALG.ecc, ALG.sha256, attributes, Buffer.alloc(0), [
    nothing,
    u16(ALG.ecdsa),
    u16(ALG.sha256),
    u16(CURVE.p256),
    nothing,
    zeros(0),
    zeros(0),
  ]);

/** Restricted: it signs only what the TPM itself says. noDA: a TPM in lockout still quotes. */
export const AK_TEMPLATE: Buffer = signing(0x00050472);
/** Unrestricted: it signs DPoP proofs. */
export const SESSION_KEY_TEMPLATE: Buffer = signing(0x00040472);

/** Below it live keys that are no attester's: the P-256 storage key of the TCG's provisioning guidance, and where that
 * leaves it. */
export const STORAGE_KEY: { readonly persistent: number; readonly template: Buffer } = {
  persistent: 0x81000001,
  template: publicArea(ALG.ecc, ALG.sha256, 0x00030472, Buffer.alloc(0), [
    aes(128),
    nothing,
    u16(CURVE.p256),
    nothing,
    zeros(0),
    zeros(0),
  ]),
};

/** The kind an attester enrolled with; undefined for a name that no version gave. */
export function ekKind(name: string): EkKind | undefined {
  return EK_KINDS.find((kind) => kind.name === name);
}

/** Whether the key of a TPMT_PUBLIC is used with its empty password; otherwise by policy. */
export function usesPassword(publicArea: Buffer): boolean {
  return (publicArea.readUInt32BE(4) & USER_WITH_AUTH) !== 0;
}
