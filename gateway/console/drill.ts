// Rehearses a fault on a running gateway: it begins, is watched and ends by itself within a bounded time, whatever
// happens to whoever asked for it, and both are recorded. What is degraded is only what the fault itself would degrade.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Actor } from '#siem/parties';
import type { Recorder } from '#siem/recorder';
import type { Metrics } from './metrics.ts';
import type { Decided, DrillFault, DrillWish, Finding, Rehearsal } from './rehearsal.ts';
import { REHEARSALS, type RehearsalParts } from './rehearsals.ts';

const RECOVERY = 10_000;
/** How often it is looked whether all is as before, in milliseconds. */
const LOOK = 50;

export interface DrillParts extends RehearsalParts {
  readonly metrics: Metrics;
  readonly recorder: Recorder;
  /** What keeps the gateway from being ready. */
  ailments(): readonly string[];
}

export interface DrillReport extends Decided {
  readonly fault: DrillFault;
  readonly seconds: number;
  readonly findings: readonly Finding[];
  /** What the gateway said was wrong with it. */
  readonly ailments: readonly string[];
  /** Milliseconds from the end of the fault to all being as before; absent if it was not in time. */
  readonly readyAfterMs?: number;
  readonly held: boolean;
}

/** The gateway is in no state to be rehearsed on. */
export class DrillError extends Error {
  readonly code = 'not-now';
}

export class Drills {
  readonly #parts: DrillParts;
  #running = false;

  constructor(parts: DrillParts) {
    this.#parts = parts;
  }

  /** Throws DrillError when this is no time for it: the gateway is not well, or another drill is running. */
  async run(wish: DrillWish, by: Actor): Promise<DrillReport> {
    if (this.#running) throw new DrillError('another drill is running');
    this.#running = true;
    const { recorder, ailments } = this.#parts;
    const { fault, seconds } = wish;
    try {
      const already = ailments();
      if (already.length > 0) throw new DrillError(`the gateway is not well as it is: ${already.join('; ')}`);
      const rehearsal = REHEARSALS[fault](this.#parts, wish);
      const unfit = await rehearsal.unfit?.();
      if (unfit !== undefined) throw new DrillError(unfit);
      await recorder.record({ kind: 'drill-started', fault, seconds, by });
      const report = await this.#rehearse(rehearsal, wish);
      const { held, findings } = report;
      await recorder.record({ kind: 'drill-ended', fault, seconds, held, findings, by }, { durable: true });
      return report;
    } finally {
      this.#running = false;
    }
  }

  async #rehearse(rehearsal: Rehearsal, { fault, seconds }: DrillWish): Promise<DrillReport> {
    const { metrics, ailments } = this.#parts;
    const before = metrics.counts;
    let found: readonly Finding[];
    let told: readonly string[];
    let decided: Decided;
    try {
      await rehearsal.begin();
      await sleep(seconds * 1_000);
      told = ailments();
      const { allow, deny, failed } = metrics.counts;
      decided = { allowed: allow - before.allow, denied: deny - before.deny, failed: failed - before.failed };
      found = await rehearsal.look(decided);
    } finally {
      rehearsal.end();
    }
    const recovery = await this.#recover(rehearsal);
    const findings = [...found, recovery.finding];
    const held = findings.every((one) => one.held);
    const { readyAfterMs } = recovery;
    return {
      ...{ fault, seconds, ...decided, findings, ailments: told, held },
      ...(readyAfterMs === undefined ? {} : { readyAfterMs }),
    };
  }

  async #recover(rehearsal: Rehearsal): Promise<{ finding: Finding; readyAfterMs?: number }> {
    const { recovery = RECOVERY } = rehearsal;
    const ended = performance.now();
    const required = `all is as before within ${recovery / 1_000} s of its end`;
    for (;;) {
      const ailing = this.#parts.ailments()[0] ?? (await rehearsal.ailing?.());
      const readyAfterMs = Math.round(performance.now() - ended);
      if (ailing === undefined) {
        return { finding: { required, seen: `after ${readyAfterMs} ms`, held: true }, readyAfterMs };
      }
      if (readyAfterMs > recovery) return { finding: { required, seen: ailing, held: false } };
      await sleep(LOOK);
    }
  }
}
