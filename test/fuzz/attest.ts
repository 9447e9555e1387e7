// Corpus: evidence of TPMs, broken in its bytes, half of it signed by the device's own key afterwards. None is taken
// for what it is not: not as this device's, not as a better state than it has, not as another maker's word.
import { type Attestation, encodeEvidence } from '#connectors/wire/evidence';
import { decodeAttestation } from '#connectors/wire/evidence-decoder';
import { Endorsements } from '#gateway/attest/endorsements';
import { checkAttestationKey, checkEndorsementKey } from '#gateway/attest/key-roles';
import { makeCredential } from '#gateway/attest/make-credential';
import { type PublicArea, parsePublicArea } from '#gateway/attest/public-area';
import { type BootEvent, bootEvents, writeLog } from '#test/gateway/attest/boot-log';
import { EndorsementCa } from '#test/gateway/attest/endorsement-ca';
import { SoftwareTpm } from '#test/gateway/attest/software-tpm';
import { AttestingDevice, NONCE, NOW, opens, passes, saidOtherwise } from './bed/device.ts';
import { JSON_WORDS, mutateText, otherBytes } from './bed/mutate.ts';
import { Dice, type FuzzFigures, type FuzzOptions, Tally } from './bed/tally.ts';

const YEAR = 365 * 86_400_000;
const WORDS = [...JSON_WORDS, 'key', 'pcrs', 'quoted', '\\u0000', '-'];

const UNSIGNED = ['quoted', 'signature', 'eventLog', 'public', 'certifyInfo', 'certifySignature'] as const;

/** One member changed after everything was signed. */
function altered(evidence: Attestation, dice: Dice): Attestation {
  if (dice.chance(0.1)) {
    const index = dice.below(evidence.pcrs.length);
    const pcrs = evidence.pcrs.with(index, otherBytes(evidence.pcrs[index] ?? NONCE, dice));
    return { ...evidence, pcrs };
  }
  const member = dice.pick(UNSIGNED);
  if (member === 'quoted' || member === 'signature' || member === 'eventLog') {
    return { ...evidence, [member]: otherBytes(evidence[member], dice) };
  }
  return { ...evidence, key: { ...evidence.key, [member]: otherBytes(evidence.key[member], dice) } };
}

/** A quote that the TPM was made to sign, and that says something else where that matters. */
function signed({ tpm, evidence }: AttestingDevice, dice: Dice): Attestation {
  const quoted = saidOtherwise(tpm, evidence.quoted, dice);
  return { ...evidence, quoted, signature: tpm.sign(quoted) };
}

const SECURE = bootEvents();
const INSECURE = bootEvents({ secureBoot: Buffer.of(0) });

/** The log of a device without secure boot that tells it otherwise: digests as measured, types and data rewritten. */
function relabelled(dice: Dice): Buffer {
  const events = INSECURE.map((event, index): BootEvent => {
    const told: BootEvent = { ...event, measured: event.measured ?? event.data };
    if (dice.chance(0.3)) return { ...told, data: SECURE[index]?.data ?? event.data };
    if (dice.chance(0.1)) return { ...told, type: dice.pick(SECURE).type };
    return dice.chance(0.1) ? { ...told, data: otherBytes(event.data, dice) } : told;
  });
  return writeLog(events).log;
}

export async function run(options: FuzzOptions): Promise<FuzzFigures> {
  const dice = new Dice(options.seed);
  const tally = new Tally(options);
  const ca = new EndorsementCa('Maker');
  const subjects = [
    new AttestingDevice(new SoftwareTpm('p256', 'ecc'), bootEvents(), ca),
    new AttestingDevice(new SoftwareTpm('rsa', 'rsa'), bootEvents(), ca),
  ];
  const insecure = new AttestingDevice(new SoftwareTpm(), bootEvents({ secureBoot: Buffer.of(0) }), ca);
  const endorsements = new Endorsements({ roots: [ca.certificate] });
  const list = ca.revoke([7, 8, 9], NOW + YEAR);
  let accepted = 0;
  const trial = (bytes: () => Buffer, holds: () => boolean): void => {
    const input = (): string => bytes().toString('hex');
    tally.step(input, () => {
      if (holds()) return;
      accepted += 1;
      tally.note(input(), 'accepted');
    });
  };

  const trials: readonly ((subject: AttestingDevice) => void)[] = [
    (subject) => {
      const evidence = altered(subject.evidence, dice);
      trial(
        () => Buffer.from(encodeEvidence(evidence)),
        () => subject.judge(evidence) === undefined,
      );
    },
    (subject) => {
      const evidence = signed(subject, dice);
      trial(
        () => evidence.quoted,
        () => subject.judge(evidence) === undefined,
      );
    },
    () => {
      // The device is honest about its TPM and lies about its log: it may lose by it, but never gain.
      const log = dice.chance(0.5) ? otherBytes(insecure.evidence.eventLog, dice) : relabelled(dice);
      const evidence = insecure.evidenceOf(log, insecure.evidence.pcrs);
      trial(
        () => log,
        () => insecure.judge(evidence)?.secureBoot !== true,
      );
    },
    ({ tpm, certificate }) => {
      const changed = otherBytes(certificate, dice);
      const ek = parsePublicArea(tpm.ekPublic);
      trial(
        () => changed,
        () => passes(() => endorsements.check(changed, ek, NOW)) === undefined,
      );
    },
    () => {
      const changed = otherBytes(list, dice);
      const sources = { roots: [ca.certificate], revocationLists: [changed] };
      trial(
        () => changed,
        () => passes(() => new Endorsements(sources)) === undefined,
      );
    },
    ({ tpm, certificate }) => {
      const area = otherBytes(tpm.ekPublic, dice);
      trial(
        () => area,
        () => passes(() => enrolled(parsePublicArea(area), certificate, endorsements)) === undefined,
      );
    },
    ({ tpm }) => {
      // A key that may attest, but is not the one in the TPM: the credential does not open.
      const area = otherBytes(tpm.akPublic, dice);
      const ek = parsePublicArea(tpm.ekPublic);
      trial(
        () => area,
        () => {
          const ak = passes(() => parsePublicArea(area));
          if (ak === undefined || passes(() => checkAttestationKey(ak) ?? true) === undefined) return true;
          return !opens(tpm, makeCredential(ek, ak.name, NONCE));
        },
      );
    },
    ({ evidence }) => {
      const text = mutateText(encodeEvidence({ ...evidence, eventLog: Buffer.alloc(40) }), WORDS, dice);
      trial(
        () => Buffer.from(text),
        () => isCanonical(text),
      );
    },
  ];

  while (tally.more) dice.pick(trials)(dice.pick(subjects));
  return { ...tally.figures(), accepted };
}

function enrolled(ek: PublicArea, certificate: Buffer, endorsements: Endorsements): true {
  checkEndorsementKey(ek);
  endorsements.check(certificate, ek, NOW);
  return true;
}

/** What the decoder takes is written back as the same evidence. */
function isCanonical(text: string): boolean {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return true;
  }
  const decoded = passes(() => decodeAttestation(json));
  return (
    decoded === undefined ||
    encodeEvidence(decodeAttestation(JSON.parse(encodeEvidence(decoded)))) === encodeEvidence(decoded)
  );
}
