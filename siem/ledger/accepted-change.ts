// Which signed change the log says is in force: the one accepted last, which each start of the gateway repeats.
import type { EventKind } from '../event.ts';
import { lastEntry } from './audit/bundles.ts';
import { actionOf } from './kinds.ts';

const ACCEPTED: EventKind = 'change-accepted';
const STARTED: EventKind = 'gateway-started';

interface Entry {
  readonly sallyport?: {
    readonly change?: { readonly hash?: string };
    readonly gateway?: { readonly change_id?: string };
  };
}

/** Its id; undefined if there is none. `directory`: of the changes log, which has `size` leaves. */
export function acceptedChange(directory: string, size: number): string | undefined {
  const entry = lastEntry(directory, size, (one) => [ACCEPTED, STARTED].includes(actionOf(one) as EventKind));
  if (entry === undefined) return undefined;
  const { sallyport } = JSON.parse(entry.toString('utf8')) as Entry;
  return actionOf(entry) === ACCEPTED ? sallyport?.change?.hash : sallyport?.gateway?.change_id;
}
