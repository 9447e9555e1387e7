// What a real TPM said to the verifier, from enrolment to clearing: driven live with swtpm, and kept as vectors so that
// the verifier is tested against a real TPM where there is none.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attest, type DeviceKeys, introduce, openCredential } from '#connectors/device/attester';
import { encodeEvidence } from '#connectors/wire/evidence';
import { decodeAttestation } from '#connectors/wire/evidence-decoder';
import type { Appraisal } from '#gateway/attest/appraisal';
import { Endorsements } from '#gateway/attest/endorsements';
import { parsePublicArea } from '#gateway/attest/public-area';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { SoftwareTpm, TpmMaker } from '#test/connectors/device/swtpm';
import { type Boot, bootEvents, writeLog } from './boot-log.ts';
import { EXPORTER, Laboratory } from './laboratory.ts';

export type EkName = 'P-384' | 'RSA-2048' | 'P-256';

/** One piece of evidence but for its log, which is the same in all, and the codes of the reasons it is answered with. */
export interface Exchange {
  readonly name: string;
  readonly reasons: readonly string[];
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** Binary members are base64, the log's base64url as evidence has it. */
export interface Recording {
  readonly ek: EkName;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly roots: readonly string[];
  readonly intermediates: readonly string[];
  readonly ekCertificate: string;
  readonly ekPublic: string;
  readonly akPublic: string;
  readonly eventLog: string;
  readonly exchanges: readonly Exchange[];
}

const VECTORS = join(import.meta.dirname, 'vectors');
export const EK_NAMES: readonly EkName[] = ['P-384', 'RSA-2048', 'P-256'];
const LOG: Boot = writeLog(bootEvents(), ['sha256']);

export function recordingFile(ek: EkName): string {
  return join(VECTORS, `${ek}.json`);
}

export function readRecording(ek: EkName): Recording {
  return JSON.parse(readFileSync(recordingFile(ek), 'utf8')) as Recording;
}

/** Boots: the firmware's measurements into a TPM that was just switched on. */
async function measure(tpm: SoftwareTpm): Promise<void> {
  for (const { pcr, data, measured } of bootEvents()) {
    await tpm.extend(
      pcr,
      createHash('sha256')
        .update(measured ?? data)
        .digest(),
    );
  }
}

/**
 * A device's life with a real TPM: enrolled, attesting, rebooted, changed, relayed, its keys swapped, cleared. Every
 * outcome is asserted on the way. `tpm` and `other` come switched on, never measured into.
 */
export async function live(
  ek: EkName,
  maker: TpmMaker,
  tpm: SoftwareTpm,
  other: SoftwareTpm,
): Promise<Recording> {
  const lab = new Laboratory();
  lab.time = Date.now();
  try {
    const { roots, intermediates } = sourcesOf(maker);
    lab.endorsements = new Endorsements({ roots: [...roots, lab.ca.certificate], intermediates });
    await measure(tpm);
    const mine = await enrol(lab, ek, tpm, 'laptop');
    const run = new LiveRun(lab, mine.device);

    await run.exchange('first attestation', tpm, mine.keys, ['baseline-missing']);
    await lab.approveBaseline(mine.device);
    const first = await run.exchange('in an approved state', tpm, mine.keys, []);
    assert.equal(first.status, 'affirming');

    await tpm.reboot();
    await measure(tpm);
    const rebooted = await run.exchange('after a reboot', tpm, mine.keys, []);
    assert.notEqual(rebooted.boot, first.boot);
    await run.exchange('over another channel', tpm, mine.keys, ['relayed-channel'], {
      exporter: Buffer.alloc(32),
    });
    await run.exchange('for another session', tpm, mine.keys, ['relayed-key'], { keyThumbprint: 'another' });

    await tpm.extend(4, Buffer.alloc(32, 4));
    await run.exchange('with PCR 4 extended', tpm, mine.keys, ['log-mismatch', 'pcr-not-allowed']);

    const swapped = await introduce(tpm.address, ek);
    await run.exchange('with another AK', tpm, swapped.keys, ['signer-other']);
    await measure(other);
    const stranger = await introduce(other.address, ek);
    await run.exchange('from a second TPM', other, stranger.keys, ['signer-other']);
    await refused('name-taken', enrol(lab, ek, other, 'laptop'));
    await refused('ek-enrolled', enrol(lab, ek, tpm, 'another name'));

    await tpm.clear();
    const cleared = await introduce(tpm.address, ek);
    assert.deepEqual(cleared.ekPublic, mine.ekPublic, 'clearing keeps the EK');
    await run.exchange('after clearing', tpm, cleared.keys, ['signer-other']);
    await lab.verifier.forget(mine.device);
    const again = await enrol(lab, ek, tpm, 'laptop');
    assert.equal(again.device, mine.device, 'the same TPM is another device');
    await tpm.reboot();
    await measure(tpm);
    await run.exchange('enrolled anew', tpm, again.keys, [], {}, false);

    const text = (bytes: Buffer): string => bytes.toString('base64');
    return {
      ...{ ek, at: lab.time },
      roots: [...roots, lab.ca.certificate].map(text),
      intermediates: intermediates.map(text),
      ekCertificate: text(mine.ekCertificate),
      ekPublic: text(mine.ekPublic),
      akPublic: text(mine.akPublic),
      eventLog: LOG.log.toString('base64url'),
      exchanges: run.exchanges,
    };
  } finally {
    await lab.close();
  }
}

interface Binding {
  readonly exporter?: Buffer;
  readonly keyThumbprint?: string;
}

class LiveRun {
  readonly exchanges: Exchange[] = [];
  readonly #lab: Laboratory;
  readonly #device: string;

  constructor(lab: Laboratory, device: string) {
    this.#lab = lab;
    this.#device = device;
  }

  /** One attestation of `tpm` as this device, and that it is answered with these reasons. */
  async exchange(
    name: string,
    tpm: SoftwareTpm,
    keys: DeviceKeys,
    reasons: readonly string[],
    { exporter = EXPORTER, keyThumbprint }: Binding = {},
    kept = true,
  ): Promise<Appraisal> {
    const { nonce } = await this.#lab.verifier.challenge(this.#device);
    const sent = await attest(tpm.address, keys, { nonce, eventLog: LOG.log, exporter });
    const evidence = { device: this.#device, ...sent };
    const appraisal = await this.#lab.verifier.appraise(evidence, {
      exporter: EXPORTER,
      ...(keyThumbprint === undefined ? {} : { keyThumbprint }),
    });
    assert.deepEqual(
      appraisal.reasons.map(({ code }) => code),
      reasons,
      name,
    );
    // What depends on the session it came through is no property of the evidence.
    if (kept && keyThumbprint === undefined) {
      const { eventLog: _, ...rest } = JSON.parse(encodeEvidence(evidence)) as Record<string, unknown>;
      this.exchanges.push({ name, reasons, evidence: rest });
    }
    return appraisal;
  }
}

interface LiveDevice {
  readonly device: string;
  readonly keys: DeviceKeys;
  readonly ekCertificate: Buffer;
  readonly ekPublic: Buffer;
  readonly akPublic: Buffer;
}

/** The whole ceremony: what MakeCredential made, a real TPM opens. swtpm has no certificate for P-256: the lab's CA has. */
async function enrol(lab: Laboratory, ek: EkName, tpm: SoftwareTpm, name: string): Promise<LiveDevice> {
  const {
    keys,
    ekPublic,
    akPublic,
    ekCertificate = lab.ca.endorse(parsePublicArea(ekPublic).key),
  } = await introduce(tpm.address, ek);
  const grant = { name, approved: true, createdBy: 'admin' };
  const { token } = await lab.verifier.grant(grant, 60_000);
  const challenge = await lab.verifier.enrol({ token, ekCertificate, ekPublic, akPublic });
  const secret = await openCredential(tpm.address, keys, challenge);
  const { device } = await lab.verifier.activate({ enrolment: challenge.enrolment, secret });
  return { device, keys, ekCertificate, ekPublic, akPublic };
}

async function refused(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: unknown) => error instanceof AttestationRefusal && error.code === code);
}

function sourcesOf(maker: TpmMaker): { roots: Buffer[]; intermediates: Buffer[] } {
  const read = (file: string): Buffer =>
    Buffer.from(readFileSync(file, 'utf8').replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  return { roots: [read(maker.root)], intermediates: [read(maker.intermediate)] };
}

/** The same exchanges against a verifier without a TPM: nonces are put where the verifier looks for them. */
export async function replayRecording(recording: Recording): Promise<void> {
  const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
  const lab = new Laboratory();
  lab.time = recording.at;
  try {
    lab.endorsements = new Endorsements({
      roots: recording.roots.map(bytes),
      intermediates: recording.intermediates.map(bytes),
    });
    const grant = { name: 'laptop', approved: true, createdBy: 'admin' };
    const { token } = await lab.verifier.grant(grant, 60_000);
    const { ekCertificate, ekPublic, akPublic } = recording;
    const { enrolment } = await lab.verifier.enrol({
      token,
      ekCertificate: bytes(ekCertificate),
      ekPublic: bytes(ekPublic),
      akPublic: bytes(akPublic),
    });
    // No TPM opens the credential: the record of the challenge is answered in its place.
    const device = await activateWithoutTpm(lab, enrolment);
    for (const { name, reasons, evidence } of recording.exchanges) {
      const decoded = decodeAttestation({ ...evidence, eventLog: recording.eventLog });
      assert.equal(decoded.device, device, 'the id of a device is made of its EK');
      const nonce = createHash('sha256').update(decoded.nonce).digest('base64url');
      const challenge = { purpose: 'quote', device, expiresAt: lab.time + 1 } as const;
      await lab.store.put('attestationChallenge', nonce, challenge);
      const appraisal = await lab.verifier.appraise(decoded, { exporter: EXPORTER });
      assert.deepEqual(
        appraisal.reasons.map(({ code }) => code),
        reasons,
        name,
      );
      if (reasons.includes('baseline-missing')) await lab.approveBaseline(device);
    }
  } finally {
    await lab.close();
  }
}

async function activateWithoutTpm(lab: Laboratory, enrolment: string): Promise<string> {
  const key = createHash('sha256').update(enrolment).digest('base64url');
  const challenge = await lab.store.take('attestationChallenge', key);
  assert.equal(challenge?.purpose, 'activate');
  const secret = Buffer.alloc(32, 1);
  const digest = createHash('sha256').update(secret).digest('base64url');
  await lab.store.put('attestationChallenge', key, { ...challenge, secret: digest });
  return (await lab.verifier.activate({ enrolment, secret })).device;
}
