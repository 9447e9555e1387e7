// A hundred thousand sessions in use: no fault, but what the promises about restarts and memory are counted in.
import { lookups } from '#test/bench/state';
import type { Finding } from '../report.ts';

/** Megabytes that they may take. */
const PROMISED = 250;

export async function sessionsInUse(): Promise<Finding> {
  const { megabytes, microseconds } = await lookups();
  return {
    required: `100,000 sessions in use take at most ${PROMISED} MB`,
    measured: `${Math.round(megabytes)} MB; one is found in ${microseconds.toFixed(1)} us`,
    held: megabytes <= PROMISED,
    figures: { sessions_100k_mb: Math.round(megabytes) },
  };
}
