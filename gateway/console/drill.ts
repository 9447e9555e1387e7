// Rehearses a fault on a running gateway: it begins, is watched and ends by itself within a bounded time, whatever
// happens to whoever asked for it, and is recorded. What is degraded is only what the fault itself would degrade.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rehearsable } from '#gateway/state/rehearsal';
import type { Actor } from '#siem/event';
import type { Recorder } from '#siem/recorder';
import type { Metrics } from './metrics.ts';

export const DRILLS = ['state'] as const;
export type DrillFault = (typeof DRILLS)[number];

/** Milliseconds for which a gateway may take to be ready again. */
const RECOVERY = 10_000;

export interface DrillParts {
  readonly state: Rehearsable;
  readonly metrics: Metrics;
  readonly recorder: Recorder;
  /** What keeps the gateway from being ready. */
  ailments(): readonly string[];
}

export interface DrillReport {
  readonly fault: DrillFault;
  readonly seconds: number;
  /** Decisions while it lasted, and requests that could not be decided. */
  readonly allowed: number;
  readonly denied: number;
  readonly failed: number;
  /** What the gateway said was wrong with it. */
  readonly ailments: readonly string[];
  /** Milliseconds from the end of the fault to being ready; absent if it was not within ten seconds. */
  readonly readyAfterMs?: number;
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

  /** Throws DrillError when the gateway is not healthy to begin with, or another drill is running. */
  async run(fault: DrillFault, seconds: number, by: Actor): Promise<DrillReport> {
    const { state, metrics, recorder, ailments } = this.#parts;
    if (this.#running) throw new DrillError('another drill is running');
    const already = ailments();
    if (already.length > 0) throw new DrillError(`the gateway is not well as it is: ${already.join('; ')}`);
    this.#running = true;
    try {
      await recorder.record({ kind: 'drill-started', fault, seconds, by }, { durable: true });
      const before = metrics.counts;
      state.silence();
      await sleep(seconds * 1_000);
      const told = ailments();
      const { allow, deny, failed } = metrics.counts;
      const ended = performance.now();
      state.speak();
      while (ailments().length > 0 && performance.now() - ended < RECOVERY) await sleep(50);
      const ready = ailments().length === 0;
      return {
        ...{ fault, seconds, ailments: told },
        ...{ allowed: allow - before.allow, denied: deny - before.deny, failed: failed - before.failed },
        ...(ready ? { readyAfterMs: Math.round(performance.now() - ended) } : {}),
      };
    } finally {
      state.speak();
      this.#running = false;
    }
  }
}
