// Bad inputs by the thousand: `npm run fuzz -- [CORPUS ...] [--seconds N] [--seed N] [--inputs N] [--json]`. Exits 1
// if an input brought something down or got through; the seed tries the same inputs again.
import { globSync } from 'node:fs';
import { availableParallelism, cpus, release, type } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { FuzzFigures, FuzzOptions } from './bed/tally.ts';

const here = import.meta.dirname;
/** Each file of this folder is a corpus, but for this one and tests; what corpora share lies in bed/. */
const names = globSync('*.ts', { cwd: here })
  .map((file) => file.slice(0, -3))
  .filter((name) => name !== 'run' && !name.includes('.'))
  .sort();

/** A step may hold everybody else up for this long, in milliseconds. */
const SLOWEST = 50;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    inputs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const chosen = positionals.length === 0 ? names : positionals;
const [seconds, seed, inputs] = [values.seconds, values.seed, values.inputs ?? '1'].map(Number);
if (
  chosen.some((name) => !names.includes(name)) ||
  !(Number(seconds) > 0 && Number(seed) >= 0 && Number(inputs) > 0)
) {
  console.error(
    `Usage: npm run fuzz -- [CORPUS ...] [--seconds N] [--seed N] [--inputs N] [--json]\nCorpora: ${names.join(' ')}`,
  );
  process.exit(2);
}

const figures: Record<string, FuzzFigures> = {};
let held = true;
for (const name of chosen) {
  const { run }: { run(options: FuzzOptions): Promise<FuzzFigures> } = await import(
    pathToFileURL(join(here, `${name}.ts`)).href
  );
  const result = await run({
    seconds: Number(seconds),
    seed: Number(seed),
    ...(values.inputs === undefined ? {} : { inputs: Number(inputs) }),
  });
  figures[name] = result;
  const { accepted = 0 } = result;
  const broken = result.crashes + result.unrecorded_allows + result.upstream_bytes_without_allow + accepted;
  held &&= broken === 0 && result.slowest_ms <= SLOWEST;
  console.log(
    `${name.padEnd(14)} ${String(result.inputs).padStart(9)} inputs, ${result.crashes} crashes, ` +
      `${accepted} accepted, ${result.unrecorded_allows} unrecorded allows, ${result.upstream_bytes_without_allow} bytes without allow, ` +
      `slowest step ${result.slowest_ms} ms`,
  );
  for (const failing of result.failing ?? []) console.log(`  ${failing}`);
}
const machine = `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown'}, ${type()} ${release()}`;
console.log(`seed ${seed}: ${held ? 'nothing got through' : 'SOMETHING DID NOT HOLD'}; ${machine}`);
if (values.json) {
  const { node } = process.versions;
  console.log(JSON.stringify({ name: 'fuzz', seed: Number(seed), machine, versions: { node }, figures }));
}
process.exit(held ? 0 : 1);
