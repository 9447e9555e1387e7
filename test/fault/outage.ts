// A receiver that is down for a whole hour of 2,000 events a second: 7.2 million events on disk, then the drain. Takes
// some ten minutes and 24 GB; `npm run fault -- siem` has the same with 400,000 events.
import type { FaultOptions, FaultReport } from './report.ts';
import { outage } from './siem-outage.ts';

const HOUR = 3_600;

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const { figures, held } = await outage(progress, HOUR);
  const rows = Object.entries(figures).map(([name, value]) => `${name.padEnd(28)} ${value}`);
  return { table: rows.join('\n'), figures: { ...figures }, held };
}
