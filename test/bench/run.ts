// Runs one benchmark and prints its table (`npm run bench -- spine`); with --json its last line is one JSON object.
import { existsSync, globSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { THIS_MACHINE } from '../this-machine.ts';
import type { BenchOptions, BenchReport } from './report.ts';

const here = import.meta.dirname;
/** A benchmark is a file that exports `run`; the others hold what benchmarks share. */
const names = globSync('*.ts', { cwd: here })
  .map((file) => file.slice(0, -3))
  .filter((name) => name !== 'run' && name !== 'report')
  .sort();

function usage(problem: string): never {
  console.error(
    `bench: ${problem}\nUsage: npm run bench -- NAME [--json] [--only PART] [--profile FOLDER], where NAME is one of: ${names.join(' ')}`,
  );
  process.exit(2);
}

interface Arguments {
  readonly name: string;
  readonly json: boolean;
  readonly only: string | undefined;
  readonly profile: string | undefined;
}

function argumentsOf(argv: string[]): Arguments {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      options: {
        json: { type: 'boolean', default: false },
        only: { type: 'string' },
        profile: { type: 'string' },
      },
      allowPositionals: true,
    });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) usage('give one name');
    const { json, only, profile } = values;
    return { name, json, only, profile: profile && resolve(profile) };
  } catch (error) {
    return usage((error as Error).message);
  }
}

const { name, json, only, profile } = argumentsOf(process.argv.slice(2));
const file = join(here, `${name}.ts`);
if (!names.includes(name) || !existsSync(file)) usage(`there is no benchmark "${name}"`);

const { run }: { run(options: BenchOptions): Promise<BenchReport> } = await import(pathToFileURL(file).href);
const report = await run({ progress: (line) => process.stderr.write(`${line}\n`), only, profile });
const versions = { node: process.versions.node, ...report.versions };
console.log(
  `${report.table}\n\n${THIS_MACHINE}; ${Object.entries(versions)
    .map(([part, version]) => `${part} ${version}`)
    .join(', ')}`,
);
if (json) console.log(JSON.stringify({ name, machine: THIS_MACHINE, versions, figures: report.figures }));
