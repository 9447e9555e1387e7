// Bad inputs by the thousand: `npm run fuzz -- [CORPUS ...] [--seconds N | --night] [--seed N] [--inputs N] [--json]`.
// Exits 1 if an input brought something down or got through; the seed tries the same inputs again. Several corpora run in
// processes of their own, two at a time, so that one that brings its process down is counted and hides no other.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { THIS_MACHINE } from '../this-machine.ts';
import { COUNTS } from './bed/counts.ts';
import type { FuzzFigures, FuzzOptions } from './bed/tally.ts';

/** A step may hold everybody else up for this long, in milliseconds. */
const SLOWEST = 50;
/** Seconds of a corpus whose inputs are counted: what is not done by then hangs. */
const A_NIGHT = 8 * 3600;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string' },
    night: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    inputs: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const names = Object.keys(COUNTS).sort();
const chosen = positionals.length === 0 ? names : positionals;
const seconds = Number(values.seconds ?? (values.night ? A_NIGHT : 20));
const seed = Number(values.seed);
const inputs = Number(values.inputs ?? 1);
if (chosen.some((name) => !names.includes(name)) || !(seconds > 0 && seed >= 0 && inputs > 0)) {
  console.error(
    `Usage: npm run fuzz -- [CORPUS ...] [--seconds N | --night] [--seed N] [--inputs N] [--json]\nCorpora: ${names.join(' ')}`,
  );
  process.exit(2);
}

interface Run {
  readonly figures: FuzzFigures;
  /** How long it took. */
  readonly seconds: number;
}

const [only = ''] = chosen;
const results = chosen.length === 1 ? { [only]: await tried(only) } : await apart();
let held = true;
for (const [name, { figures, seconds: took }] of Object.entries(results)) {
  const { accepted = 0 } = figures;
  const broken =
    figures.crashes + figures.unrecorded_allows + figures.upstream_bytes_without_allow + accepted;
  held &&= broken === 0 && figures.slowest_ms <= SLOWEST;
  console.log(
    `${name.padEnd(14)} ${String(figures.inputs).padStart(9)} inputs in ${Math.round(took)} s, ${figures.crashes} crashes, ` +
      `${accepted} accepted, ${figures.unrecorded_allows} unrecorded allows, ${figures.upstream_bytes_without_allow} bytes without allow, ` +
      `slowest step ${figures.slowest_ms} ms`,
  );
  for (const failing of figures.failing ?? []) console.log(`  ${failing}`);
}
console.log(`seed ${seed}: ${held ? 'nothing got through' : 'SOMETHING DID NOT HOLD'}; ${THIS_MACHINE}`);
if (values.json) {
  const { node } = process.versions;
  const of = <T>(pick: (run: Run) => T): Record<string, T> =>
    Object.fromEntries(Object.entries(results).map(([name, run]) => [name, pick(run)]));
  const figures = of((run) => run.figures);
  console.log(
    JSON.stringify({
      ...{ name: 'fuzz', seed, machine: THIS_MACHINE, versions: { node } },
      ...{ figures, seconds: of((run) => Math.round(run.seconds)) },
    }),
  );
}
process.exit(held ? 0 : 1);

async function tried(name: string): Promise<Run> {
  const { run }: { run(options: FuzzOptions): Promise<FuzzFigures> } = await import(
    pathToFileURL(join(import.meta.dirname, `${name}.ts`)).href
  );
  const counted = values.inputs === undefined ? undefined : inputs;
  const most = counted ?? (values.night ? COUNTS[name]?.night : undefined);
  const before = performance.now();
  const figures = await run({ seconds, seed, ...(most === undefined ? {} : { inputs: most }) });
  return { figures, seconds: (performance.now() - before) / 1000 };
}

/** Each corpus in a process of its own. */
async function apart(): Promise<Record<string, Run>> {
  const all: Record<string, Run> = {};
  const queue = chosen.values();
  const worker = async (): Promise<void> => {
    for (const name of queue) all[name] = await inProcess(name);
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
  return Object.fromEntries(chosen.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

function inProcess(name: string): Promise<Run> {
  const words = [import.meta.filename, name, '--json', '--seconds', String(seconds), '--seed', String(seed)];
  if (values.inputs !== undefined) words.push('--inputs', values.inputs);
  if (values.night) words.push('--night');
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = (): boolean => child.kill();
  process.once('exit', end);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return new Promise((done) => {
    child.once('close', (code, signal) => {
      process.off('exit', end);
      const last = text.trimEnd().split('\n').at(-1) ?? '';
      if (last.startsWith('{')) {
        const { figures, seconds: took } = JSON.parse(last);
        return done({ figures: figures[name], seconds: took[name] });
      }
      const failing = [`the process ended (${signal ?? code}) and said: ${text.slice(-2000)}`];
      const none = { inputs: 0, unrecorded_allows: 0, upstream_bytes_without_allow: 0, slowest_ms: 0 };
      done({ figures: { ...none, crashes: 1, failing }, seconds: 0 });
    });
  });
}
