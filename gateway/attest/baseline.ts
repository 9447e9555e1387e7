// Compares what a device started with what an admin approved for its model.
import { compareVersions } from '#policy/criteria/firmware';
import { judgeCommandLines } from './command-line.ts';
import type { ReasonCode } from './reasons.ts';
import type { Baseline } from './records.ts';

/** What of a quote baselines speak about. PCRs of the SHA-256 bank in hex, PCR 0 first. */
export interface Measured {
  readonly pcrs: readonly string[];
  readonly firmware: string;
  readonly commandLines: readonly string[];
}

export interface BaselineVerdict {
  readonly matches: boolean;
  readonly findings: readonly ReasonCode[];
}

const PCR_1 = 1;

/** `baselines`: approved ones of the device's model; one that matches in everything is enough. */
export function judgeBaseline(measured: Measured, baselines: readonly Baseline[]): BaselineVerdict {
  if (baselines.length === 0) return { matches: false, findings: ['baseline-missing'] };
  const starting = baselines.filter(({ pcrs }) => allows(pcrs, measured.pcrs));
  if (starting.length === 0) return { matches: false, findings: ['pcr-not-allowed'] };
  let findings: readonly ReasonCode[] = [];
  for (const baseline of starting) {
    findings = shortcomings(measured, baseline);
    if (findings.length === 0) return { matches: true, findings };
  }
  return { matches: false, findings };
}

function allows(lists: Baseline['pcrs'], pcrs: readonly string[]): boolean {
  return pcrs.every((pcr, index) => {
    const list = lists[index];
    // A list that is missing allows nothing; one that is empty was left open by an admin.
    return list !== undefined && (list.length === 0 || list.includes(pcr));
  });
}

function shortcomings(measured: Measured, { minimumFirmware, commandLine, pcrs }: Baseline): ReasonCode[] {
  const found: ReasonCode[] = [];
  if (minimumFirmware !== undefined && compareVersions(measured.firmware, minimumFirmware) < 0) {
    found.push('firmware-too-old');
  }
  if (commandLine !== undefined) {
    const pinned = (pcrs[PCR_1]?.length ?? 0) > 0;
    const shortcoming = judgeCommandLines(measured.commandLines, commandLine, pinned);
    if (shortcoming !== undefined) found.push(shortcoming);
  }
  return found;
}
