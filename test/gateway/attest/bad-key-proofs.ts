// Every way in which the proof that a key is in a TPM can be wrong, and the code it is refused with.
import type { ReasonCode } from '#gateway/attest/reasons';
import type { Changed } from './key-evidence.ts';
import { publicArea, SESSION_TEMPLATE, SoftwareTpm } from './software-tpm.ts';

const attributes = (tpm: SoftwareTpm, bits: number): Changed => ({
  area: publicArea(tpm.session.publicKey, { ...SESSION_TEMPLATE, attributes: bits }),
});

export const BAD_KEY_PROOFS: readonly (readonly [
  what: string,
  code: ReasonCode,
  changed: (tpm: SoftwareTpm) => Changed,
])[] = [
  ['certified by the AK of another TPM', 'signer-other', () => ({ signer: new SoftwareTpm() })],
  [
    'signed by another AK that says it is this one',
    'signature-wrong',
    (tpm) => {
      const other = new SoftwareTpm();
      const { akQualified: qualifiedSigner } = tpm;
      return { signer: other, fields: (fields) => ({ ...fields, qualifiedSigner }) };
    },
  ],
  [
    'that certifies the name of another key',
    'bound-key-other',
    () => {
      const { certified } = new SoftwareTpm().certifyFields(Buffer.alloc(32));
      return certified === undefined ? {} : { fields: (fields) => ({ ...fields, certified }) };
    },
  ],
  [
    'of another key than that of the request',
    'bound-key-other',
    () => ({ area: new SoftwareTpm().sessionPublic }),
  ],
  ['of a key that may leave its TPM', 'bound-key-attributes', (tpm) => attributes(tpm, 0x00040470)],
  ['of a key that may move to another parent', 'bound-key-attributes', (tpm) => attributes(tpm, 0x00040462)],
  ['of a key that was brought into the TPM', 'bound-key-attributes', (tpm) => attributes(tpm, 0x00040452)],
  ['of a key that decrypts', 'bound-key-attributes', (tpm) => attributes(tpm, 0x00060472)],
  ['of a restricted key', 'bound-key-attributes', (tpm) => attributes(tpm, 0x00050472)],
  ['of a key with reserved bits', 'key-reserved-bits', (tpm) => attributes(tpm, 0x00040473)],
  ['for another request', 'certify-old', () => ({ csr: 'another' })],
  [
    'for an older nonce',
    'certify-old',
    () => ({ fields: (fields) => ({ ...fields, extraData: Buffer.alloc(32, 1) }) }),
  ],
  [
    'without a nonce',
    'certify-old',
    () => ({ fields: (fields) => ({ ...fields, extraData: Buffer.alloc(0) }) }),
  ],
  [
    'that is a quote',
    'attest-type',
    () => ({ fields: (fields) => ({ ...fields, type: Buffer.from([0x80, 0x18]) }) }),
  ],
  [
    'that no TPM made',
    'attest-magic',
    () => ({ fields: (fields) => ({ ...fields, magic: Buffer.from('ff544348', 'hex') }) }),
  ],
  [
    'with bytes behind it',
    'attest-trailing',
    (tpm) => ({
      after: (proof) => {
        const certifyInfo = Buffer.concat([proof.certifyInfo, Buffer.alloc(1)]);
        return { ...proof, certifyInfo, certifySignature: tpm.sign(certifyInfo) };
      },
    }),
  ],
  [
    'with another secret than the credential’s',
    'secret-wrong',
    () => ({ after: (proof) => ({ ...proof, secret: Buffer.alloc(32) }) }),
  ],
  [
    'that answers nothing',
    'challenge-burnt',
    () => ({ after: (proof) => ({ ...proof, enrolment: 'AAAAAAAAAAAAAAAAAAAAAA' }) }),
  ],
];
