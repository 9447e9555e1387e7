// Flips single bits in the files of a state directory, one at a time, and asks the audit whether it names the place.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditState } from '#siem/ledger/audit/verify';

const KINDS = ['segments', 'tiles', 'checkpoints'] as const;
type Kind = (typeof KINDS)[number];

function filesOf(state: string): Record<Kind, string[]> {
  const paths = readdirSync(state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return {
    segments: paths.filter((path) => path.endsWith('.jsonl') && readFileSync(path).length > 0),
    tiles: paths.filter((path) => path.includes('/tile/')),
    checkpoints: paths.filter((path) => path.endsWith('/checkpoint')),
  };
}

export interface Tampering {
  tampered: number;
  found: number;
  readonly missed: string[];
}

/** `random`: 0 to 1. Each flip is undone before the next. */
export async function tamper(state: string, flips: number, random: () => number): Promise<Tampering> {
  const files = filesOf(state);
  const outcome: Tampering = { tampered: 0, found: 0, missed: [] };
  const below = (limit: number): number => Math.floor(random() * limit);
  for (let flip = 0; flip < flips; flip++) {
    const among = files[KINDS[flip % KINDS.length] ?? 'segments'];
    const file = among[below(among.length)] ?? '';
    const whole = readFileSync(file);
    const changed = Buffer.from(whole);
    const at = below(whole.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
    writeFileSync(file, changed);
    try {
      const { findings } = await auditState(state);
      outcome.tampered += 1;
      // The place that is named is the byte, or the record, hash or note that begins before it.
      if (findings.some((one) => one.file === file && (one.position ?? 0) <= at)) outcome.found += 1;
      else outcome.missed.push(`${file} byte ${at}: ${JSON.stringify(findings.slice(0, 2))}`);
    } finally {
      writeFileSync(file, whole);
    }
  }
  return outcome;
}
