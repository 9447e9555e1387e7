// Slow strangers by the thousand: slowhttptest in its four modes, and 5,000 connections that say a byte now and then.
// Meanwhile somebody honest asks on a new connection each time, and must be answered.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProgram } from '../requires.ts';
import type { StoryInstallation } from '../story/installation.ts';
import { honest, residentMb, within } from './honest-person.ts';
import type { FaultOptions, FaultReport } from './report.ts';

const PAUSE = 40;
const SECONDS = 20;
const SLOW = 5_000;
/** Promised: the share of honest requests that are answered, and milliseconds until a slow one is closed. */
const SUCCESS = 0.999;
const CLOSED_WITHIN = 10_000;
/** Promised bound of the gateway's memory, MiB: what many connections cost is given back or capped. */
const RSS_MIB = 768;

interface Phase {
  readonly name: string;
  readonly asked: number;
  readonly answered: number;
  readonly slowestMs: number;
  readonly rssMb: number;
  /** Of our own slow connections: the longest that one was put up with. */
  readonly longestMs?: number;
}

const MODES: readonly (readonly [name: string, ...options: string[]])[] = [
  ['slow headers', '-H', '-i', '3'],
  ['slow bodies', '-B', '-i', '3', '-s', '8192'],
  ['ranges', '-R', '-a', '10', '-b', '3000'],
  ['slow reading', '-X', '-k', '3', '-w', '1', '-y', '64', '-n', '3', '-z', '16'],
];

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const phases: Phase[] = [];
  await within(undefined, async (installation) => {
    for (const [name, ...options] of MODES) {
      progress(`slowhttptest: ${name}`);
      phases.push(await phase(installation, name, () => slowHttpTest(installation, options)));
    }
    progress(`${SLOW} slow connections from one address`);
    phases.push(await phase(installation, `${SLOW} slow`, () => slow(installation)));
  });
  // With room for all of them: then it is time that ends them, not the crowd.
  await within('limits: { perAddress: 8000 }\n', async (installation) => {
    progress(`${SLOW} slow connections, all of them let in`);
    phases.push(await phase(installation, `${SLOW} slow, let in`, () => slow(installation)));
  });
  const asked = phases.reduce((sum, one) => sum + one.asked, 0);
  const answered = phases.reduce((sum, one) => sum + one.answered, 0);
  const rss = Math.max(...phases.map(({ rssMb }) => rssMb));
  const longest = Math.max(...phases.map(({ longestMs = 0 }) => longestMs));
  const rate = answered / asked;
  return {
    table: phases.map(lineOf).join('\n'),
    figures: {
      slow_success_rate: Math.floor(rate * 1e5) / 1e5,
      rss_mb: rss,
      honest_requests: asked,
      slow_closed_ms: longest,
      slowest_honest_ms: Math.max(...phases.map(({ slowestMs }) => slowestMs)),
    },
    held: rate >= SUCCESS && rss <= RSS_MIB && longest <= CLOSED_WITHIN,
  };
}

function lineOf({ name, asked, answered, slowestMs, rssMb, longestMs }: Phase): string {
  const closed = longestMs === undefined ? '' : `, slow ones closed within ${longestMs} ms`;
  return `${name.padEnd(18)} ${answered} of ${asked} answered, slowest ${slowestMs} ms, gateway at most ${rssMb} MiB${closed}`;
}

/** Runs `attack` while somebody honest asks, and looks at the gateway's memory. */
async function phase(
  installation: StoryInstallation,
  name: string,
  attack: () => Promise<number | undefined>,
): Promise<Phase> {
  const ada = installation.visitor();
  await ada.signIn(`${installation.originOf('wiki')}/`, 'ada', 'password');
  const cookie = ada.cookieHeader('wiki.localhost');
  let over = false;
  const attacked = attack().finally(() => {
    over = true;
  });
  let [asked, answered, slowest, rss] = [0, 0, 0, 0];
  while (!over) {
    asked += 1;
    const since = performance.now();
    if (await honest(installation, cookie)) answered += 1;
    slowest = Math.max(slowest, performance.now() - since);
    rss = Math.max(rss, residentMb(installation.gateway.pid));
    await sleep(PAUSE);
  }
  const longestMs = await attacked;
  return {
    ...{ name, asked, answered, slowestMs: Math.round(slowest), rssMb: rss },
    ...(longestMs === undefined ? {} : { longestMs }),
  };
}

async function slowHttpTest({ ports }: StoryInstallation, options: readonly string[]): Promise<undefined> {
  const program = findProgram('slowhttptest');
  if (program === undefined) throw new Error('slowhttptest is not here: run npm run test:deps');
  const url = `https://localhost:${ports.people}/`;
  const load = ['-c', '1000', '-r', '500', '-l', String(SECONDS), '-p', '5', '-v', '0', '-u', url];
  const child = spawn(program, [...options, ...load], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  return undefined;
}

/** Our own slow connections; the longest that the gateway put up with one, in milliseconds. */
async function slow(installation: StoryInstallation): Promise<number> {
  const script = join(import.meta.dirname, 'front-slow-process.ts');
  const ca = installation.path('state/development-ca/ca.pem');
  const args = [script, String(installation.ports.people), String(SLOW), String(SECONDS * 2), ca];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  await new Promise((resolve) => child.once('close', resolve));
  const { opened, closed, longestMs } = JSON.parse(text) as {
    opened: number;
    closed: number;
    longestMs: number;
  };
  if (opened < SLOW / 2) throw new Error(`only ${opened} of ${SLOW} connections were opened`);
  // One that is still open at the end was put up with for longer than anything measured.
  return closed < opened ? SECONDS * 2000 : longestMs;
}
