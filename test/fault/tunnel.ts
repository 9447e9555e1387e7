// What the data plane promises under faults, with real processes: a killed connector (10), a rolling restart of two
// gateways (12), a partition (14), half-open TCP at the tunnel and at people (15), slow readers (16).
import { requires } from '../requires.ts';
import { TWO_NEEDS } from '../story/two-gateways.ts';
import type { FaultOptions, FaultReport, Finding } from './report.ts';
import { killed } from './tunnel-killed.ts';
import { rolling } from './tunnel-rolling.ts';
import { silent } from './tunnel-silent.ts';
import { slowReaders } from './tunnel-slow.ts';
import { namespacesMissing, VANISH_NEEDS, vanish } from './tunnel-vanish.ts';

/** Times that both gateways are restarted. */
const ROUNDS = 3;

type Steps = (() => void | Promise<void>)[];
interface Scope {
  after(step: () => void | Promise<void>): void;
}

interface Fault {
  readonly name: string;
  readonly run: (scope: Scope) => Promise<Finding>;
  /** Why it cannot be shown on this machine. */
  readonly missing?: false | string;
}

const half = (direction: 'inward' | 'outward') => (scope: Scope) =>
  silent(scope, { direction, within: 30_000, name: `half_open_${direction}` });

const FAULTS: readonly Fault[] = [
  { name: '10 connector killed', run: killed },
  {
    name: '12 rolling restart',
    run: (scope) => rolling(scope as never, ROUNDS),
    missing: requires(...TWO_NEEDS),
  },
  {
    name: '14 partition',
    run: (scope) => silent(scope, { direction: 'both', within: 20_000, name: 'partition' }),
  },
  { name: '15 half-open tunnel, inward', run: half('inward') },
  { name: '15 half-open tunnel, outward', run: half('outward') },
  { name: '15 person vanished', run: vanish, missing: requires(...VANISH_NEEDS) || namespacesMissing() },
  { name: '16 slow reader', run: slowReaders },
];

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const found: [string, Finding][] = [];
  for (const { name, run: show, missing } of FAULTS) {
    progress(name);
    found.push([name, missing ? notShown(missing) : await tidied(show)]);
  }
  const table = found
    .map(([name, { required, measured, held }]) =>
      [
        `${held ? 'held    ' : 'NOT HELD'} ${name}`,
        `  required: ${required}`,
        `  measured: ${measured}`,
      ].join('\n'),
    )
    .join('\n');
  return {
    table,
    figures: Object.assign({}, ...found.map(([, { figures }]) => figures)) as FaultReport['figures'],
    faults: Object.fromEntries(
      found.map(([name, { required, measured, held }]) => [name, { required, measured, held }]),
    ),
    held: found.every(([, { held }]) => held),
  };
}

/** What was not shown is not held. */
function notShown(missing: string): Finding {
  return { required: 'to be shown', measured: missing, held: false, figures: {} };
}

/** One fault on its own: whatever it started is gone before the next. */
async function tidied(show: Fault['run']): Promise<Finding> {
  const steps: Steps = [];
  try {
    return await show({ after: (step) => void steps.unshift(step) });
  } finally {
    for (const step of steps) await step();
  }
}
