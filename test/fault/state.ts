// Faults of state, restart, clock, disk, identity provider and certificates on real processes, each measured against
// what is promised. `npm run fault -- state`; SALLYPORT_FAULTS=redis-down,clock tries only those.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Scope } from '#test/contract/redis';
import type { FaultOptions, FaultReport, Finding } from './report.ts';
import { connectorExpired, expired } from './state/certificates.ts';
import { crowd } from './state/crowd.ts';
import { historyHolds } from './state/history.ts';
import { hostileProvider, keyRotation, providerDown } from './state/identity.ts';
import { clock, diskFull, unexpected } from './state/machine.ts';
import { primaryHung, primaryKilled, redisDown, splitBrain } from './state/redis.ts';
import { revokedConnector, revokeStreams } from './state/revocation.ts';
import { sessionsInUse } from './state/sessions.ts';
import { upgraded } from './state/upgrade.ts';

type Fault = (scope: Scope) => Promise<Finding>;

/** Names the faults that are to be tried, separated by commas; all if it is not set. */
const CHOICE = 'SALLYPORT_FAULTS';

export const FAULTS: Readonly<Record<string, Fault>> = {
  'redis-down': redisDown,
  'redis-primary-killed': primaryKilled,
  'redis-primary-hung': primaryHung,
  'redis-split-brain': splitBrain,
  'provider-down': providerDown,
  'provider-keys': keyRotation,
  'provider-hostile': hostileProvider,
  'disk-full': diskFull,
  clock,
  'revoke-streams': revokeStreams,
  'revoked-connector': revokedConnector,
  'unexpected-error': unexpected,
  'certificates-expired': expired,
  'connector-certificate-expired': connectorExpired,
  upgrade: upgraded,
  sessions: sessionsInUse,
  history: historyHolds,
  crowd,
};

/** What was promised of a fault that did not come about. */
const UNTRIED = 'that it can be tried';

/** Milliseconds after which a fault has not held, whatever it is waiting for. */
const PATIENCE = 330_000;

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const chosen = process.env[CHOICE]?.split(',') ?? Object.keys(FAULTS);
  const unknown = chosen.find((name) => !Object.hasOwn(FAULTS, name));
  if (unknown !== undefined)
    throw new Error(`${CHOICE}: there is no fault ${unknown}; there are ${Object.keys(FAULTS).join(', ')}`);
  const faults: Record<string, Finding> = {};
  const figures: Record<string, number> = {};
  const began = performance.now();
  for (const name of chosen) {
    progress(`${name} …`);
    const from = performance.now();
    const attempt = (): Promise<Finding> =>
      chosen.length === 1 ? tried(FAULTS[name] as Fault) : triedApart(name);
    let found = await attempt();
    // What it takes did not come about, for example because Redis had another primary before it began.
    if (found.required === UNTRIED) {
      progress(`again  ${name}: ${found.measured}`);
      found = await attempt();
    }
    const { figures: more, ...finding } = found;
    faults[name] = finding;
    Object.assign(figures, more);
    const took = Math.round((performance.now() - from) / 1_000);
    progress(`${finding.held ? 'held  ' : 'FAILED'} ${name} (${took} s): ${finding.measured}`);
  }
  const rows = Object.entries(faults).map(
    ([name, { required, measured, held }]) =>
      `${held ? 'held  ' : 'FAILED'} ${name}\n         promised: ${required}\n         measured: ${measured}`,
  );
  return {
    table: rows.join('\n'),
    figures: {
      ...figures,
      faults: rows.length,
      held: Object.values(faults).filter(({ held }) => held).length,
      minutes: Math.round((performance.now() - began) / 6_000) / 10,
    },
    faults,
    held: Object.values(faults).every(({ held }) => held),
  };
}

/** Runs one fault and ends what it started; one that breaks did not hold. */
async function tried(fault: Fault): Promise<Finding> {
  const steps: (() => Promise<void>)[] = [];
  try {
    return await fault({ after: (step) => void steps.push(step) });
  } catch (error) {
    return { required: UNTRIED, measured: String(error), held: false };
  } finally {
    for (const step of steps.reverse()) await step().catch(() => undefined);
  }
}

/**
 * The same in a process of its own, so that no fault has another one's memory, timers or leftovers, and none can hold up
 * the rest: what takes too long is ended with all that it started.
 */
async function triedApart(name: string): Promise<Finding> {
  const directory = mkdtempSync(join(tmpdir(), `sallyport-fault-${name}-`));
  const child = spawn(process.execPath, [join(import.meta.dirname, 'run.ts'), 'state', '--json'], {
    env: { ...process.env, [CHOICE]: name, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const endAll = (): void => {
    try {
      process.kill(-(child.pid ?? Number.NaN), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  };
  process.once('exit', endAll);
  const timer = setTimeout(endAll, PATIENCE);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  endAll();
  process.removeListener('exit', endAll);
  rmSync(directory, { recursive: true, force: true });
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  try {
    const { faults, figures } = JSON.parse(line) as Pick<FaultReport, 'faults' | 'figures'>;
    const { faults: _count, held: _held, minutes: _minutes, ...own } = figures;
    return { ...(faults?.[name] as Finding), figures: own };
  } catch {
    if (signal === 'SIGKILL')
      return { required: `that it is over in ${PATIENCE / 1_000} s`, measured: 'it was not', held: false };
    return { required: UNTRIED, measured: `ended with ${code ?? signal}`, held: false };
  }
}
