// When keys for SSH certificates sign. A rotation changes the schedule of a gateway, and nothing else: each of its workers
// goes by that before it signs, also one that was away when somebody asked for the rotation.
import { LEAF_LIFE } from '../authority-directory.ts';
import { AuthorityError } from '../ca-certificate.ts';
import type { SshSchedule } from '../records.ts';

/** `lead`: milliseconds between the publication of a key and its first signature. */
export type SshRotation = { readonly lead: number } | 'compromised';

/** The part of a schedule that says which keys there are to be. */
export type SshTimes = Pick<SshSchedule, 'from' | 'lost'>;

/** The schedule after a rotation that is asked for at `now`. Throws AuthorityError while a key waits already. */
export function rotated(before: SshTimes | undefined, rotation: SshRotation, now: number): SshTimes {
  const known = before?.from ?? [];
  if (rotation === 'compromised') {
    // Another key than any before: its time must be another one.
    let at = now;
    while (known.includes(at)) at += 1;
    return { from: [at], lost: at };
  }
  const last = known.at(-1) ?? Number.NEGATIVE_INFINITY;
  if (last > now) {
    const from = new Date(last).toISOString();
    throw new AuthorityError('key-waiting', `the next key is published already, and signs from ${from}`);
  }
  const needed = known.filter((_, index) => (known[index + 1] ?? now) + LEAF_LIFE >= now);
  const from = [...needed, Math.max(now + rotation.lead, last + 1)];
  return { from, ...(before?.lost === undefined ? {} : { lost: before.lost }) };
}

/** Which keys are to be made and which destroyed by whoever holds those of `held`; all by the times from which they sign. */
export function due(
  { from, lost }: SshTimes,
  held: readonly number[],
  now: number,
): { readonly make: readonly number[]; readonly destroy: readonly number[] } {
  const destroy = lost === undefined ? [] : held.filter((time) => !from.includes(time));
  const stay = held.filter((time) => !destroy.includes(time));
  // A key that would sign nothing any more is not made.
  const current = Math.max(...[...from, ...stay].filter((time) => time <= now));
  return { make: from.filter((time) => time >= current && !held.includes(time)), destroy };
}
