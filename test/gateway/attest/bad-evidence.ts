// Evidence that has to be refused: one case for each way to be wrong, made by a TPM that does what it is told.

import type { EvidenceBinding } from '#gateway/attest/appraisal';
import { BAD_BOOTS } from './bad-boots.ts';
import { type BadEvidence, changed } from './bad-case.ts';
import { sha256, sized, u8, u16, u32 } from './big-endian.ts';
import { type Changed, EXPORTER, RACK } from './laboratory.ts';
import {
  ECDSA,
  nameOf,
  publicArea,
  RSASSA,
  SESSION_TEMPLATE,
  SoftwareTpm,
  selection,
  signatureBytes,
} from './software-tpm.ts';

const SHA1 = 0x0004;
const SHA256 = 0x000b;

const STRUCTURES: readonly BadEvidence[] = [
  changed('wrong magic', 'attest-magic', () => ({ quote: (f) => ({ ...f, magic: u32(0xff544348) }) })),
  changed('wrong type', 'attest-type', () => ({ quote: (f) => ({ ...f, type: u16(0x8017) }) })),
  changed('cut short', 'attest-truncated', () => ({ quoted: (bytes) => bytes.subarray(0, -1) })),
  changed('trailing bytes', 'attest-trailing', () => ({ quoted: (bytes) => Buffer.concat([bytes, u8(0)]) })),
  changed('bad safe byte', 'attest-safe-byte', () => ({ quote: (f) => ({ ...f, safe: u8(2) }) })),
  changed('wrong nonce', 'nonce-wrong', () => ({ bound: { nonce: Buffer.alloc(32, 1) } })),
  changed('empty nonce', 'nonce-empty', () => ({ quote: (f) => ({ ...f, extraData: Buffer.alloc(0) }) })),
  changed('prefix of the nonce', 'nonce-length', () => ({
    quote: (f) => ({ ...f, extraData: f.extraData.subarray(0, 16) }),
  })),
  changed('no selection', 'selection-none', () => ({ quote: (f) => ({ ...f, selection: selection() }) })),
  changed('two selections', 'selection-several', () => ({
    quote: (f) => ({ ...f, selection: selection([SHA256, 'ff0000'], [SHA1, 'ff0000']) }),
  })),
  changed('four billion selections', 'selection-count', () => ({
    quote: (f) => ({ ...f, selection: Buffer.concat([u32(0xffffffff), selection([SHA256, 'ff0000'])]) }),
  })),
  changed('SHA-1 bank', 'selection-bank', () => ({
    quote: (f) => ({ ...f, selection: selection([SHA1, 'ff0000']) }),
  })),
  changed('empty selection', 'selection-empty', () => ({
    quote: (f) => ({ ...f, selection: selection([SHA256, '000000']), pcrDigest: sha256() }),
  })),
  changed('PCR subset', 'selection-subset', () => ({
    quote: (f) => ({ ...f, selection: selection([SHA256, '7f0000']) }),
  })),
  changed('PCR superset', 'selection-superset', () => ({
    quote: (f) => ({ ...f, selection: selection([SHA256, 'ff0001']) }),
  })),
  changed('digest mismatch', 'pcr-digest-mismatch', () => ({
    quote: (f) => ({ ...f, pcrDigest: Buffer.alloc(32) }),
  })),
  changed('value mismatch', 'pcr-digest-mismatch', () => ({
    after: (e) => ({ ...e, pcrs: e.pcrs.with(4, Buffer.alloc(32, 1)) }),
  })),
  changed('digest of the wrong length', 'pcr-digest-length', () => ({
    quote: (f) => ({ ...f, pcrDigest: Buffer.alloc(20) }),
  })),
  changed('PCR of the wrong length', 'pcr-length', () => ({
    after: (e) => ({ ...e, pcrs: e.pcrs.with(0, Buffer.alloc(31)) }),
  })),
  changed('missing PCR', 'pcr-missing', () => ({ after: (e) => ({ ...e, pcrs: e.pcrs.slice(1) }) })),
  changed('extra PCR', 'pcr-extra', () => ({
    after: (e) => ({ ...e, pcrs: [...e.pcrs, Buffer.alloc(32)] }),
  })),
];

const SIGNATURES: readonly BadEvidence[] = [
  changed('signature with a bit flipped', 'signature-wrong', () => ({
    after: (e) => ({ ...e, signature: flipped(e.signature) }),
  })),
  changed('signature of zeros', 'signature-zero', () => ({
    after: (e) => ({
      ...e,
      signature: Buffer.concat([ECDSA, sized(Buffer.alloc(32)), sized(Buffer.alloc(32))]),
    }),
  })),
  changed('signature of another scheme', 'signature-scheme', () => ({
    after: (e) => ({ ...e, signature: Buffer.concat([RSASSA, e.signature.subarray(4)]) }),
  })),
  changed('signature over SHA-1', 'signature-hash', ({ tpm }) => ({
    after: (e) => ({
      ...e,
      signature: signatureBytes(e.quoted, tpm.ak.privateKey, Buffer.concat([u16(0x18), u16(SHA1)])),
    }),
  })),
  changed('signature cut short', 'signature-truncated', () => ({
    after: (e) => ({ ...e, signature: e.signature.subarray(0, -1) }),
  })),
  changed('signature with trailing bytes', 'signature-trailing', () => ({
    after: (e) => ({ ...e, signature: Buffer.concat([e.signature, u8(0)]) }),
  })),
  {
    name: "another device's AK",
    code: 'signer-other',
    attest: ({ lab, device }) => lab.attest(device, new SoftwareTpm()),
  },
];

const FRESHNESS: readonly BadEvidence[] = [
  {
    name: 'replay',
    code: 'quote-replayed',
    attest: async ({ lab, device, tpm }) => {
      const { nonce } = await lab.verifier.challenge(device);
      const evidence = lab.evidence(device, tpm, nonce);
      const binding = { exporter: EXPORTER };
      await lab.verifier.appraise(evidence, binding);
      return lab.verifier.appraise(evidence, binding);
    },
  },
  {
    name: 'old evidence for a new challenge',
    code: 'evidence-old',
    attest: async ({ lab, device, tpm }) => {
      const old = lab.evidence(device, tpm, (await lab.verifier.challenge(device)).nonce);
      await lab.attest(device, tpm);
      const { nonce } = await lab.verifier.challenge(device);
      return lab.verifier.appraise({ ...old, nonce }, { exporter: EXPORTER });
    },
  },
  {
    name: 'late answer',
    code: 'quote-late',
    attest: async ({ lab, device, tpm }) => {
      const { nonce } = await lab.verifier.challenge(device);
      const evidence = lab.evidence(device, tpm, nonce);
      lab.time += 60_000;
      return lab.verifier.appraise(evidence, { exporter: EXPORTER });
    },
  },
  changed('relayed to another channel', 'relayed-channel', () => ({ exporter: Buffer.alloc(32, 8) })),
  changed('relayed to another key', 'relayed-key', () => ({}), { keyThumbprint: 'of another key' }),
  changed('resetCount rollback', 'reset-rollback', () => ({ quote: (f) => ({ ...f, resetCount: 1 }) })),
  changed('clock rollback', 'clock-rollback', () => ({ quote: (f) => ({ ...f, clock: 5n }) })),
];

const BINDINGS: readonly BadEvidence[] = [
  changed('certify for another key', 'bound-key-other', ({ tpm }) => ({
    certify: () => tpm.certifyFields(Buffer.alloc(32), new SoftwareTpm().sessionPublic),
    bound: { keySpki: tpm.session.publicKey.export({ format: 'der', type: 'spki' }) },
    quote: (fields) => fields,
  })),
  changed('old certify', 'certify-old', () => ({
    certify: (f) => ({ ...f, extraData: Buffer.alloc(32, 7) }),
  })),
  changed('AK offered as session key', 'bound-key-is-ak', ({ tpm }) => ({
    session: tpm.akPublic,
    bound: { keySpki: tpm.ak.publicKey.export({ format: 'der', type: 'spki' }) },
    certify: (f) => ({ ...f, certified: [nameOf(tpm.akPublic), tpm.akQualified] }),
  })),
  changed('session key that can leave its TPM', 'bound-key-attributes', ({ tpm }) => {
    const session = publicArea(tpm.session.publicKey, { ...SESSION_TEMPLATE, attributes: 0x00040460 });
    return { session, certify: (f) => ({ ...f, certified: [nameOf(session), nameOf(session)] }) };
  }),
  {
    name: 'revoked device',
    code: 'device-revoked',
    attest: async ({ lab }) => {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm);
      const { nonce } = await lab.verifier.challenge(device);
      await lab.verifier.revoke(device, 'admin');
      return lab.verifier.appraise(lab.evidence(device, tpm, nonce), { exporter: EXPORTER });
    },
  },
  {
    name: 'device that waits for an admin',
    code: 'device-not-approved',
    attest: async ({ lab }) => {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm, { approved: false });
      return lab.attest(device, tpm);
    },
  },
];

const RACK_2 = { ...RACK, name: 'rack-2', key: Buffer.alloc(32, 2) };

/** Evidence of a machine enrolled for `rack-1`, with what is to be wrong. */
function ofConnector(
  name: string,
  code: BadEvidence['code'],
  wrong: { readonly change?: Changed; readonly binding?: Partial<EvidenceBinding> },
): BadEvidence {
  return {
    name,
    code,
    attest: async ({ lab }) => {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm, { connector: RACK.name });
      await lab.attest(device, tpm, { connector: RACK }, { connector: RACK });
      const binding = { connector: RACK, ...wrong.binding };
      return lab.attest(device, tpm, { connector: RACK, ...wrong.change }, binding);
    },
  };
}

const CONNECTORS: readonly BadEvidence[] = [
  ofConnector('a connector’s machine as a person’s device', 'device-of-connector', {
    binding: { connector: undefined },
  }),
  ofConnector('another connector’s machine', 'connector-other', { binding: { connector: RACK_2 } }),
  ofConnector('relayed to another key of the same connector', 'relayed-connector', {
    binding: { connector: { ...RACK, key: RACK_2.key } },
  }),
  ofConnector('made as for a person’s device', 'connector-unbound', {
    change: { bound: { connector: undefined } },
  }),
];

function flipped(signature: Buffer): Buffer {
  const copy = Buffer.from(signature);
  copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1);
  return copy;
}

export const BAD_EVIDENCE: readonly BadEvidence[] = [
  ...STRUCTURES,
  ...SIGNATURES,
  ...FRESHNESS,
  ...BAD_BOOTS,
  ...BINDINGS,
  ...CONNECTORS,
];
