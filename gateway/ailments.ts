// What keeps a gateway from doing its work, in words for whoever looks after it: it is then not ready.
import type { Recorder } from '#siem/recorder';
import type { SteadyClock } from './state/steady-clock.ts';
import type { Store } from './state/store.ts';

/** Seconds without a word from the shared state after which something is wrong. */
const STATE_SILENCE = 5;

export interface AilingParts {
  readonly recorder: Recorder;
  readonly store: Store;
  readonly clock: SteadyClock;
}

export function ailmentsOf({ recorder, store, clock }: AilingParts): string[] {
  const ailments: string[] = [];
  if (!recorder.healthy) ailments.push('events cannot be recorded, so nothing is allowed');
  const silent = Math.round((performance.now() - store.confirmedAt()) / 1000);
  if (silent >= STATE_SILENCE) ailments.push(`the shared state has not answered for ${silent} s`);
  const back = Math.round(clock.setBack / 1000);
  if (back > 0) ailments.push(`the clock was set back by ${back} s: if it is right now, restart the gateway`);
  return ailments;
}
