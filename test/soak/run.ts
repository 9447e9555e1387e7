// A day's work on a real installation for as long as is asked, `npm run soak -- [--minutes N] [--json]`: exits 1 if memory or
// open files grow, if an answer was wrong, or if anything is left when everybody has gone.
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { HOST } from '../bench/spine/documents.ts';
import { startProduct, within } from '../bench/spine/product.ts';
import { startApp } from '../bench/tunnel/app.ts';
import { COLLECTING, Memory } from '../bench/tunnel/memory.ts';
import type { Finding } from '../fault/report.ts';
import { THIS_MACHINE } from '../this-machine.ts';
import { Day, PEOPLE } from './day.ts';
import { type Growth, growthOf, type Sample } from './growth.ts';

/** Of the resident memory, in an hour. */
const ALLOWED = 0.01;
/** Samples; what a process warms up in the first third is no growth. */
const SAMPLES = 30;
/** Milliseconds for what is open to go when everybody has gone. */
const PATIENCE = 30_000;
const HOUR = 3_600_000;
const MIB = 1024 * 1024;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, json: { type: 'boolean', default: false } },
});
const minutes = Number(values.minutes);
if (!(minutes >= 1 && minutes <= 7 * 24 * 60)) {
  console.error('Usage: npm run soak -- [--minutes N] [--json], where N is from 1 to 10080 (a week)');
  process.exit(2);
}

const filesOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

interface Series {
  readonly rss: Sample[];
  readonly files: Sample[];
}

/** What grows for certain: by more than is allowed even if the line lies as low as it well may. */
function growing({ perHour, error }: Growth): boolean {
  return perHour - 2 * error > ALLOWED;
}

function finding(what: string, samples: readonly Sample[], unit: string): Finding {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const growth = growthOf(settled);
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  const last = settled.at(-1)?.value ?? 0;
  return {
    required: `${what} grows by less than ${percent(ALLOWED)} an hour`,
    measured: `${percent(growth.perHour)} an hour, give or take ${percent(2 * growth.error)}; ${last.toFixed(0)} ${unit} at the end`,
    held: !growing(growth),
  };
}

const findings = await within(async (directory, undo): Promise<readonly Finding[]> => {
  const app = await startApp(undo);
  const product = await startProduct(directory, undo, {
    ...{ app: app.port, people: ['ada', ...PEOPLE] },
    ...{ gatewayFlags: COLLECTING, connectorFlags: COLLECTING },
  });
  const visitor = await product.signIn('ada');
  const parts = (['gateway', 'connector'] as const).map((name) => ({
    ...{ name, part: product[name], memory: new Memory(product[name]) },
    series: { rss: [], files: [] } satisfies Series as Series,
  }));
  const day = new Day(product, visitor.cookieHeader(HOST));
  const living = day.live();
  const began = performance.now();
  for (let taken = 1; taken <= SAMPLES; taken += 1) {
    await sleep(Math.max(0, began + (minutes * 60_000 * taken) / SAMPLES - performance.now()));
    const at = (performance.now() - began) / HOUR;
    for (const { part, memory, series } of parts) {
      series.rss.push({ at, value: (await memory.settled()).rss / MIB });
      series.files.push({ at, value: filesOf(part.pid) });
    }
    // Right behind a sample, so that what reading it took is gone by the next one.
    await day.writePolicy(taken);
    const now = parts.map(({ name, series }) => {
      return `${name} ${series.rss.at(-1)?.value.toFixed(1)} MiB, ${series.files.at(-1)?.value} files`;
    });
    process.stderr.write(
      `${(at * 60).toFixed(1)} min: ${now.join('; ')}; ${day.answered} answers, ${day.unexpected.length} wrong\n`,
    );
  }
  day.end();
  await living;
  const until = performance.now() + PATIENCE;
  let left = await product.metric('sallyport_open_exchanges');
  while (left > 0 && performance.now() < until) {
    await sleep(250);
    left = await product.metric('sallyport_open_exchanges');
  }
  return [
    ...parts.flatMap(({ name, series }) => [
      finding(`the ${name}'s memory`, series.rss, 'MiB'),
      finding(`the number of the ${name}'s open files`, series.files, 'files'),
    ]),
    {
      required: 'every answer is the one that is due',
      measured: [`${day.answered} answers, ${day.unexpected.length} wrong`, ...day.unexpected].join('\n    '),
      held: day.unexpected.length === 0 && day.answered > 0,
    },
    {
      required: 'nothing is open when everybody has gone',
      measured: `${left} exchanges`,
      held: left === 0,
    },
  ];
});

const held = findings.every((one) => one.held);
for (const { required, measured, held: kept } of findings) {
  console.log(`${kept ? 'held' : 'NOT HELD'}  ${required}\n    ${measured}`);
}
console.log(
  `\n${minutes} minutes: ${held ? 'all held' : 'NOT ALL HELD'}; ${THIS_MACHINE}, Node ${process.versions.node}`,
);
if (values.json) console.log(JSON.stringify({ name: 'soak', minutes, machine: THIS_MACHINE, findings }));
process.exit(held ? 0 : 1);
