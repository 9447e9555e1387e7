// Tells a long-running command that it shall stop, and whether at once. A signal to a whole group (as from systemd or
// timeout) reaches both the launcher, which passes it on, and us: what comes right after the first is its copy, and not
// somebody who has lost patience.
import type { EventEmitter } from 'node:events';

export type StopSignal = 'SIGTERM' | 'SIGINT';

/** No person signals twice within this, in milliseconds. */
const COPY = 300;

/** Calls `stop` at the first signal to `target` with `atOnce` false, and at each later one with `atOnce` true. */
export function onStop(
  target: Pick<EventEmitter, 'on'>,
  now: () => number,
  stop: (signal: StopSignal, atOnce: boolean) => void,
): void {
  let first: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    target.on(signal, () => {
      if (first !== undefined && now() - first < COPY) return;
      const atOnce = first !== undefined;
      first ??= now();
      stop(signal, atOnce);
    });
  }
}
