// A device whose evidence a corpus breaks, and the verifier's pure parts judging it without a store.
import { type Attestation, attestationBinding, EvidenceError } from '#connectors/wire/evidence';
import { appraise } from '#gateway/attest/appraise';
import { authenticate } from '#gateway/attest/authenticate';
import { EndorsementConfigError, Endorsements } from '#gateway/attest/endorsements';
import type { Credential } from '#gateway/attest/make-credential';
import { parsePublicArea } from '#gateway/attest/public-area';
import { type Attester, attesterOf } from '#gateway/attest/quote';
import type { Baseline, DeviceRecord } from '#gateway/attest/records';
import { AttestationRefusal } from '#gateway/attest/refusal';
import type { Device } from '#policy/input';
import { type BootEvent, writeLog } from '#test/gateway/attest/boot-log';
import type { EndorsementCa } from '#test/gateway/attest/endorsement-ca';
import { attestBytes, nameOf, type SoftwareTpm } from '#test/gateway/attest/software-tpm';
import { otherBytes } from './mutate.ts';
import type { Dice } from './tally.ts';

export const NOW: number = Date.UTC(2026, 5, 1);
export const NONCE: Buffer = Buffer.alloc(32, 5);
const EXPORTER = Buffer.alloc(32, 9);

/** A device whose state is approved, and what it sends. */
export class AttestingDevice {
  readonly tpm: SoftwareTpm;
  readonly evidence: Attestation;
  /** Of its EK. */
  readonly certificate: Buffer;
  readonly record: DeviceRecord;
  readonly #endorsements: Endorsements;
  readonly #attester: Attester;
  readonly #baseline: Baseline;

  constructor(tpm: SoftwareTpm, events: readonly BootEvent[], ca: EndorsementCa) {
    this.tpm = tpm;
    this.#endorsements = new Endorsements({ roots: [ca.certificate] });
    const { log, pcrs } = writeLog(events);
    this.evidence = this.evidenceOf(log, pcrs.sha256.slice(0, 8));
    this.certificate = ca.endorse(tpm.ek.publicKey);
    const ek = parsePublicArea(tpm.ekPublic);
    this.#attester = attesterOf(parsePublicArea(tpm.akPublic), ek.name);
    this.record = {
      ...{ name: 'device', model: 'model', enrolledAt: NOW, enrolledBy: 'admin', approvedAt: NOW },
      binding: {
        ekName: ek.name.toString('hex'),
        akName: nameOf(tpm.akPublic).toString('hex'),
        akPublic: tpm.akPublic.toString('base64url'),
        endorsement: this.#endorsements.check(this.certificate, ek, NOW),
      },
    };
    const allowed = this.evidence.pcrs.map((pcr) => [pcr.toString('hex')]);
    this.#baseline = { model: 'model', pcrs: allowed, createdAt: NOW, createdBy: 'admin', approvedAt: NOW };
  }

  evidenceOf(eventLog: Buffer, pcrs: readonly Buffer[], quoted?: (bytes: Buffer) => Buffer): Attestation {
    const { tpm } = this;
    const keySpki = tpm.session.publicKey.export({ format: 'der', type: 'spki' });
    const extraData = attestationBinding({ nonce: NONCE, eventLog, keySpki, exporter: EXPORTER });
    const said = attestBytes(tpm.quoteFields(extraData, pcrs));
    const quote = quoted === undefined ? said : quoted(said);
    const certifyInfo = attestBytes(tpm.certifyFields(extraData));
    return {
      ...{
        device: 'device',
        nonce: NONCE,
        exporter: EXPORTER,
        quoted: quote,
        signature: tpm.sign(quote),
        pcrs,
      },
      eventLog,
      key: { public: tpm.sessionPublic, certifyInfo, certifySignature: tpm.sign(certifyInfo) },
    };
  }

  /** Facts of the evidence, or undefined if it is not this device's. */
  judge(evidence: Attestation): Device | undefined {
    const authenticated = passes(() =>
      authenticate(evidence, this.#attester, { exporter: EXPORTER }, undefined),
    );
    if (authenticated === undefined) return undefined;
    const { pcrs, eventLog } = evidence;
    return appraise({
      ...{ device: 'device', record: this.record, authenticated, pcrs, eventLog },
      ...{ last: undefined, asked: undefined, endorsements: this.#endorsements },
      ...{ baselines: [this.#baseline], now: NOW, life: 60_000 },
    }).appraisal.facts;
  }
}

/** Clock, counters, safe and firmware: 25 bytes that a TPM may fill as it likes. */
const FREE = 25;

/** What a TPM attests, made to say something else where that matters: before what it may fill as it likes, or after, up to `end`. */
export function saidOtherwise(
  { akQualified }: SoftwareTpm,
  said: Buffer,
  dice: Dice,
  end: (after: number) => number = () => said.length,
): Buffer {
  const free = 4 + 2 + 2 + akQualified.length + 2 + 32;
  const after = free + FREE;
  for (;;) {
    const changed = otherBytes(said, dice);
    const same =
      changed.length === said.length &&
      changed.subarray(0, free).equals(said.subarray(0, free)) &&
      changed.subarray(after, end(after)).equals(said.subarray(after, end(after)));
    if (!same) return changed;
  }
}

/** Whether a credential opens for a TPM. */
export function opens(tpm: SoftwareTpm, { credentialBlob, encryptedSecret }: Credential): boolean {
  try {
    tpm.activate(credentialBlob, encryptedSecret);
    return true;
  } catch {
    return false;
  }
}

/** What `check` returns, or undefined if it refuses; anything else it throws is a crash. */
export function passes<T>(check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (error instanceof AttestationRefusal || error instanceof EvidenceError) return undefined;
    if (error instanceof EndorsementConfigError) return undefined;
    throw error;
  }
}
