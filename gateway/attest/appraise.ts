// Judges authentic evidence against endorsements and reference values (RFC 9334, section 4): a pure function of what is
// given to it. Whatever cannot be read or is missing counts against the device.
import type { Device } from '#policy/input';
import type { Appraisal, AppraisalStatus, TrustVector } from './appraisal.ts';
import type { QuoteStructure } from './attest-structure.ts';
import type { Authenticated } from './authenticate.ts';
import { judgeBaseline } from './baseline.ts';
import { readCommandLines } from './command-line.ts';
import type { Endorsements } from './endorsements.ts';
import { type EventLog, parseEventLog } from './event-log.ts';
import type { ReasonCode } from './reasons.ts';
import type { Baseline, DevicePosture, DeviceRecord, TpmCounters } from './records.ts';
import { AttestationRefusal, reasonOf } from './refusal.ts';
import { checkExtended, checkReplay } from './replay.ts';
import { readSecureBoot } from './secure-boot.ts';

/** What counts against which claim, and how much; a code that is not named contradicts the device's identity. */
const WEIGHTS: Readonly<Partial<Record<ReasonCode, readonly [claim: keyof TrustVector, value: number]>>> = {
  'ek-chain-untrusted': ['hardware', 97],
  'ek-certificate-expired': ['hardware', 97],
  'ek-revocation-stale': ['hardware', 97],
  'ek-certificate-revoked': ['hardware', 96],
  'endorsement-pinned': ['hardware', 32],
  'clock-unsafe': ['hardware', 32],
  'firmware-too-old': ['hardware', 96],
  'pcrs-unextended': ['executables', 96],
  'pcr-not-allowed': ['executables', 96],
  'baseline-missing': ['executables', 33],
  'secure-boot-off': ['configuration', 96],
  'secure-boot-unknown': ['configuration', 96],
  'firmware-debug': ['configuration', 96],
  'command-line': ['configuration', 96],
  'command-line-unknown': ['configuration', 96],
};
const CONTRADICTED = 96;
const AFFIRMED: TrustVector = { 'instance-identity': 2, hardware: 2, executables: 3, configuration: 2 };
/** Most a TPM's clock goes back after it lost power: it writes its clock down at least this often (TPM 2.0 Part 1). */
const CLOCK_SLACK = 2n ** 22n;
const ROLLBACKS = ['reset-rollback', 'clock-rollback'] as const;

export interface AppraisalInput {
  readonly device: string;
  readonly record: DeviceRecord;
  readonly authenticated: Authenticated;
  readonly pcrs: readonly Buffer[];
  readonly eventLog: Buffer;
  readonly last: DevicePosture | undefined;
  /** What was known of the TPM when it was asked for this. */
  readonly asked: TpmCounters | undefined;
  readonly endorsements: Endorsements;
  /** Approved ones of the device's model. */
  readonly baselines: readonly Baseline[];
  readonly now: number;
  /** Milliseconds for which the result counts. */
  readonly life: number;
}

/** The result, and what is to be remembered of the quote. Throws AttestationRefusal: `evidence-old`. */
export function appraise(input: AppraisalInput): DevicePosture {
  if (isOvertaken(input)) throw new AttestationRefusal('evidence-old');
  const { quote, keyThumbprint } = input.authenticated;
  const findings = new Set<ReasonCode>();
  const note = (check: () => void): boolean => {
    try {
      check();
      return true;
    } catch (refusal) {
      if (!(refusal instanceof AttestationRefusal)) throw refusal;
      findings.add(refusal.code);
      return false;
    }
  };
  note(() => checkDevice(input));
  const boot = `${quote.resetCount}.${quote.restartCount}`;
  const regular = note(() => checkClock(input));
  if (!quote.safe) findings.add('clock-unsafe');
  const firmware = firmwareText(quote.firmware);

  let log: EventLog | undefined;
  note(() => {
    const read = parseEventLog(input.eventLog);
    checkReplay(read, input.pcrs);
    log = read;
    checkExtended(read, input.pcrs);
  });
  const secureBoot = log !== undefined && judgeSecureBoot(log, findings, note);
  const commandLines = log === undefined ? [] : readCommandLines(log);
  const pcrs = input.pcrs.map((pcr) => pcr.toString('hex'));
  const baseline = judgeBaseline({ pcrs, firmware, commandLines }, input.baselines);
  for (const code of baseline.findings) findings.add(code);

  // An unexplained log or a clock that went back means that the rest was not what it seemed, either.
  const sound = regular && log !== undefined && ![...findings].some((code) => WEIGHTS[code] === undefined);
  const endorsed = ![...findings].some((code) => WEIGHTS[code]?.[0] === 'hardware' && code.startsWith('ek-'));
  const facts: Device = {
    id: input.device,
    attested: sound && endorsed,
    secureBoot: sound && secureBoot,
    baseline: sound && baseline.matches,
    sameBoot: sound,
    hardwareKey: sound && endorsed,
    firmware,
    quotedAt: input.now,
  };
  const appraisal: Appraisal = {
    ...resultOf(findings),
    device: input.device,
    ...{ authentic: true, facts, keyThumbprint, boot },
    issuedAt: input.now,
    expiresAt: input.now + input.life,
  };
  return { appraisal, ...countersOf(input, regular), firmware, pcrs, commandLines };
}

function checkDevice({ record, endorsements, now }: AppraisalInput): void {
  if (record.approvedAt === undefined) throw new AttestationRefusal('device-not-approved');
  const { endorsement } = record.binding;
  if (endorsement === undefined) throw new AttestationRefusal('endorsement-pinned');
  endorsements.recheck(endorsement, now);
}

/** For good: a copy of a TPM's state is started as often, and runs as long, as it takes to be ahead again. */
function checkClock({ authenticated: { quote }, last }: AppraisalInput): void {
  if (last === undefined) return;
  const before = last.appraisal.reasons.map(({ code }) => code);
  const code = ROLLBACKS.find((one) => before.includes(one)) ?? rollbackOf(quote, last);
  if (code !== undefined) throw new AttestationRefusal(code);
}

/** The counters only ever grow, but for a TPM that was cleared: and that one has lost its keys. */
function rollbackOf(quote: QuoteStructure, known: TpmCounters): (typeof ROLLBACKS)[number] | undefined {
  if (quote.resetCount < known.resetCount) return 'reset-rollback';
  const rebooted = quote.resetCount > known.resetCount;
  if (!rebooted && quote.restartCount < known.restartCount) return 'reset-rollback';
  const slack = rebooted && !quote.safe ? CLOCK_SLACK : 0n;
  return quote.clock + slack < BigInt(known.clock) ? 'clock-rollback' : undefined;
}

/** That went back only behind what was accepted after it was asked for: two answers overtook each other on the way. */
function isOvertaken({ authenticated: { quote }, last, asked }: AppraisalInput): boolean {
  if (last === undefined || rollbackOf(quote, last) === undefined) return false;
  return asked === undefined || rollbackOf(quote, asked) === undefined;
}

/** Of a TPM that went back the highest values stay, or its next quote would pass. */
function countersOf(
  { authenticated: { quote }, last }: AppraisalInput,
  regular: boolean,
): Pick<DevicePosture, 'clock' | 'resetCount' | 'restartCount'> {
  const { clock, resetCount, restartCount } = regular || last === undefined ? quote : last;
  return { clock: String(clock), resetCount, restartCount };
}

function judgeSecureBoot(
  log: EventLog,
  findings: Set<ReasonCode>,
  note: (check: () => void) => boolean,
): boolean {
  let enabled = false;
  note(() => {
    const state = readSecureBoot(log);
    enabled = state.enabled;
    if (!enabled) findings.add('secure-boot-off');
    if (state.weakened) findings.add('firmware-debug');
  });
  return enabled && !findings.has('firmware-debug');
}

/** Four numbers of 16 bits, most significant first; what they mean is up to the maker. */
function firmwareText(version: bigint): string {
  return [48n, 32n, 16n, 0n].map((shift) => (version >> shift) & 0xffffn).join('.');
}

function resultOf(findings: ReadonlySet<ReasonCode>): Pick<Appraisal, 'status' | 'trust' | 'reasons'> {
  const trust = { ...AFFIRMED };
  const weighed = [...findings].map((code) => {
    const [claim, value] = WEIGHTS[code] ?? ['instance-identity', CONTRADICTED];
    trust[claim] = Math.max(trust[claim], value);
    return { code, value };
  });
  const reasons = weighed.sort((a, b) => b.value - a.value).map(({ code }) => reasonOf(code));
  return { status: statusOf(trust), trust, reasons };
}

function statusOf(trust: TrustVector): AppraisalStatus {
  const worst = Math.max(...Object.values(trust));
  if (worst >= 96) return 'contraindicated';
  return worst >= 32 ? 'warning' : 'affirming';
}

/** Of evidence that is not known to come from the device: the identity could not be verified (AR4SI: 99). */
export function refused(device: string, code: ReasonCode, now: number): Appraisal {
  return {
    device,
    status: 'contraindicated',
    trust: { 'instance-identity': 99, hardware: 0, executables: 0, configuration: 0 },
    reasons: [reasonOf(code)],
    authentic: false,
    facts: { id: device },
    issuedAt: now,
    expiresAt: now,
  };
}
