// Faults of state, restart, clock, disk, identity provider and certificates on real processes, each measured against
// what is promised. `npm run fault -- state`; SALLYPORT_FAULTS=redis-down,clock tries only those.
import type { Scope } from '#test/contract/redis';
import type { FaultOptions, FaultReport, Finding } from './report.ts';
import { expired } from './state/certificates.ts';
import { crowd } from './state/crowd.ts';
import { historyHolds } from './state/history.ts';
import { hostileProvider, keyRotation, providerDown } from './state/identity.ts';
import { clock, diskFull, unexpected } from './state/machine.ts';
import { primaryHung, primaryKilled, redisDown, splitBrain } from './state/redis.ts';
import { revokedConnector, revokeStreams } from './state/revocation.ts';
import { sessionsInUse } from './state/sessions.ts';

const FAULTS: Readonly<Record<string, (scope: Scope) => Promise<Finding>>> = {
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
  sessions: sessionsInUse,
  history: historyHolds,
  crowd,
};

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const chosen = process.env['SALLYPORT_FAULTS']?.split(',');
  const faults: Record<string, Finding> = {};
  for (const [name, fault] of Object.entries(FAULTS)) {
    if (chosen !== undefined && !chosen.includes(name)) continue;
    progress(`${name} …`);
    faults[name] = await tried(fault);
    const { held, measured } = faults[name];
    progress(`${held ? 'held  ' : 'FAILED'} ${name}: ${measured}`);
  }
  const rows = Object.entries(faults).map(
    ([name, { required, measured, held }]) =>
      `${held ? 'held  ' : 'FAILED'} ${name}\n         promised: ${required}\n         measured: ${measured}`,
  );
  return {
    table: rows.join('\n'),
    figures: {
      ...Object.assign({}, ...Object.values(faults).map(({ figures }) => figures ?? {})),
      faults: rows.length,
      held: Object.values(faults).filter(({ held }) => held).length,
    },
    faults,
    held: Object.values(faults).every(({ held }) => held),
  };
}

/** Runs one fault and ends what it started; one that breaks did not hold. */
async function tried(fault: (scope: Scope) => Promise<Finding>): Promise<Finding> {
  const steps: (() => Promise<void>)[] = [];
  try {
    return await fault({ after: (step) => void steps.push(step) });
  } catch (error) {
    return { required: 'that it can be tried', measured: String(error), held: false };
  } finally {
    for (const step of steps.reverse()) await step().catch(() => undefined);
  }
}
