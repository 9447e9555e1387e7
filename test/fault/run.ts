// Runs one fault on purpose (`npm run fault -- siem`) and exits 1 if a promise did not hold; --json adds one line.
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { THIS_MACHINE } from '../this-machine.ts';
import type { FaultOptions, FaultReport } from './report.ts';

const here = import.meta.dirname;
/** Tests and the processes that are killed have longer names, or none of these. */
const shared = new Set(['run', 'report', 'line']);
const names = globSync('*.ts', { cwd: here })
  .map((file) => file.slice(0, -3))
  .filter((name) => !shared.has(name) && !name.includes('.') && !name.includes('-'))
  .sort();

const words = process.argv.slice(2);
const json = words.includes('--json');
const [name = '', ...more] = words.filter((word) => word !== '--json');
const file = join(here, `${name}.ts`);
if (more.length > 0 || !names.includes(name) || !existsSync(file)) {
  console.error(
    `fault: give one name\nUsage: npm run fault -- NAME [--json], where NAME is one of: ${names.join(' ')}`,
  );
  process.exit(2);
}

const { run }: { run(options: FaultOptions): Promise<FaultReport> } = await import(pathToFileURL(file).href);
const report = await run({ progress: (line) => process.stderr.write(`${line}\n`) });
const versions = { node: process.versions.node, ...report.versions };
console.log(
  `${report.table}\n\n${report.held ? 'the promise held' : 'THE PROMISE DID NOT HOLD'}; ${THIS_MACHINE}`,
);
if (json) {
  const { figures, faults } = report;
  console.log(JSON.stringify({ name, machine: THIS_MACHINE, versions, figures, faults }));
}
process.exit(report.held ? 0 : 1);
