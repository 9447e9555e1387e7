// Evidence that has to be refused: one case for each way to be wrong, made by a TPM that does what it is told.
import type { Appraisal, EvidenceBinding } from '#gateway/attest/appraisal';
import { MAX_LOG } from '#gateway/attest/event-log';
import type { ReasonCode } from '#gateway/attest/reasons';
import { sha256, sized, u8, u16, u32 } from './big-endian.ts';
import { bootEvents, policyEvent, separator, TYPE, writeLog } from './boot-log.ts';
import { BOOT, type Changed, EXPORTER, type Laboratory } from './laboratory.ts';
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

/** A device in an approved state, whose evidence is affirmed. */
export interface Honest {
  readonly lab: Laboratory;
  readonly device: string;
  readonly tpm: SoftwareTpm;
}

export interface BadEvidence {
  readonly name: string;
  readonly code: ReasonCode;
  readonly attest: (honest: Honest) => Promise<Appraisal>;
}

/** One attestation with something changed. */
function changed(
  name: string,
  code: ReasonCode,
  change: (honest: Honest) => Changed,
  binding: Partial<EvidenceBinding> = {},
): BadEvidence {
  return {
    name,
    code,
    attest: (honest) => honest.lab.attest(honest.device, honest.tpm, change(honest), binding),
  };
}

const SHA1 = 0x0004;
const SHA256 = 0x000b;
const OTHER = writeLog(bootEvents({ kernel: 'another' }));

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

/** A log in which one event says something else than it did when it was measured. */
function rewritten(
  change: (event: ReturnType<typeof policyEvent>) => ReturnType<typeof policyEvent>,
): Changed {
  const events = bootEvents({ secureBoot: Buffer.of(0) });
  const at = events.findIndex(({ pcr }) => pcr === 7);
  const [honest = separator(7)] = events.slice(at);
  // Measured is what it was; the digest stays while type and data change.
  return { boot: writeLog(events.with(at, { ...change(honest), measured: honest.data })) };
}

const LOGS: readonly BadEvidence[] = [
  changed('log swapped', 'log-swapped', () => ({ after: (e) => ({ ...e, eventLog: OTHER.log }) })),
  changed('log that does not lead to the PCRs', 'log-mismatch', () => ({
    boot: { ...BOOT, log: OTHER.log },
  })),
  changed('event type rewritten', 'event-type-rewritten', () =>
    rewritten((event) => ({ ...event, type: TYPE.VARIABLE_AUTHORITY })),
  ),
  changed('event data rewritten', 'event-data-rewritten', () =>
    rewritten((event) => ({ ...event, data: policyEvent('SecureBoot', Buffer.of(1)).data })),
  ),
  changed('truncated log', 'log-truncated', () => ({ boot: { ...BOOT, log: BOOT.log.subarray(0, -1) } })),
  changed('log that is no log', 'log-malformed', () => ({ boot: { ...BOOT, log: Buffer.alloc(200) } })),
  changed('missing log', 'log-missing', () => ({ boot: { ...BOOT, log: Buffer.alloc(0) } })),
  changed('giant log', 'log-too-large', () => ({ boot: { ...BOOT, log: Buffer.alloc(MAX_LOG + 1) } })),
];

const STATES: readonly BadEvidence[] = [
  changed('PCRs never extended', 'pcrs-unextended', () => ({ boot: writeLog([]) })),
  changed('PCR not allowed', 'pcr-not-allowed', () => ({ boot: OTHER })),
  changed('secure boot off', 'secure-boot-off', () => ({
    boot: writeLog(bootEvents({ secureBoot: Buffer.of(0) })),
  })),
  changed('nothing measured of secure boot', 'secure-boot-unknown', () => ({
    boot: writeLog(bootEvents().filter(({ pcr }) => pcr !== 7)),
  })),
  changed('firmware in a debugging mode', 'firmware-debug', () => ({
    boot: writeLog([{ pcr: 7, type: TYPE.ACTION, data: Buffer.from('UEFI Debug Mode') }, ...bootEvents()]),
  })),
  {
    name: 'old firmware',
    code: 'firmware-too-old',
    attest: (honest) => withRule(honest, 'old firmware', { minimumFirmware: '7.86' }),
  },
  {
    name: 'kernel command line',
    code: 'command-line',
    attest: (honest) =>
      withRule(honest, 'command line', { commandLine: { required: [], forbidden: ['ro'] } }),
  },
  {
    name: 'kernel command line that was not quoted',
    code: 'command-line-unknown',
    attest: (honest) =>
      withRule(honest, 'unknown', {
        openPcrs: [1],
        commandLine: { required: [], forbidden: ['init=/bin/sh'] },
      }),
  },
  {
    name: 'no baseline',
    code: 'baseline-missing',
    attest: async ({ lab }) => {
      const tpm = new SoftwareTpm();
      const { device } = await lab.enrol(tpm, { model: 'never seen' });
      return lab.attest(device, tpm);
    },
  },
];

/** A device of a model of its own, whose baseline asks for more than it has. */
async function withRule(
  { lab }: Honest,
  model: string,
  rule: Parameters<Laboratory['verifier']['learnBaseline']>[2],
): Promise<Appraisal> {
  const tpm = new SoftwareTpm();
  const { device } = await lab.enrol(tpm, { model });
  await lab.attest(device, tpm);
  const { id } = await lab.verifier.learnBaseline(device, 'admin', rule);
  await lab.verifier.approveBaseline(id, 'admin');
  return lab.attest(device, tpm);
}

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

function flipped(signature: Buffer): Buffer {
  const copy = Buffer.from(signature);
  copy.writeUInt8((copy.at(-1) ?? 0) ^ 1, copy.length - 1);
  return copy;
}

export const BAD_EVIDENCE: readonly BadEvidence[] = [
  ...STRUCTURES,
  ...SIGNATURES,
  ...FRESHNESS,
  ...LOGS,
  ...STATES,
  ...BINDINGS,
];
