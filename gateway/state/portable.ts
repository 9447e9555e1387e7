// A whole state as lines of text: to back it up, to restore it, and to move it from one store to another. It holds the
// installation's keys, so a file of it is as secret as they are.
import { hash } from 'node:crypto';
import { StateError } from './error.ts';
import { KINDS, LASTING } from './kinds.ts';
import type { Collections, Copying, Kind, Store } from './store.ts';

/** Version of the lines. The first had no last line that says how many there are. */
const VERSION = 2;
/** The one record of its kind. */
const UNDER_WAY = 'state';

/** One record: kind, key, value, and its end in epoch milliseconds, null for one that stays. */
type Line = readonly [kind: Kind, key: string, value: unknown, expiresAt: number | null];

/** All live records, between a header and a line that seals what came before it against being cut short. */
export async function exported(store: Store, now: number): Promise<string[]> {
  const lines = [JSON.stringify({ sallyport: 'state', version: VERSION, at: now })];
  for (const kind of LASTING) {
    for (const [key, value, expiresAt] of await store.list(kind)) {
      const line: Line = [kind, key, value, Number.isFinite(expiresAt) ? expiresAt : null];
      lines.push(JSON.stringify(line));
    }
  }
  lines.push(endOf(lines));
  return lines;
}

function endOf(lines: readonly string[]): string {
  return JSON.stringify({ records: lines.length - 1, sha256: hash('sha256', lines.join('\n'), 'hex') });
}

/** How many records a back-up holds. */
export function recordsIn(lines: readonly string[]): number {
  return lines.length - 2;
}

/** How many records of each kind there are; kinds without any are left out. */
export async function census(store: Store): Promise<Partial<Record<Kind, number>>> {
  const counts: Partial<Record<Kind, number>> = {};
  for (const kind of LASTING) {
    const { length } = await store.list(kind);
    if (length > 0) counts[kind] = length;
  }
  return counts;
}

/** Removes every record that a back-up would hold. */
export async function cleared(store: Store): Promise<void> {
  for (const kind of LASTING) {
    for (const [key] of await store.list(kind)) await store.remove(kind, key);
  }
}

/** What copies into `store` and has not come to its end; undefined for a state that is whole. */
export async function copyingInto(store: Store): Promise<Copying['what'] | undefined> {
  return (await store.get('copying', UNDER_WAY))?.what;
}

/** Throws StateError while a copy into `store` has not come to its end: what is missing may be a revocation. */
export async function requireWhole(store: Store): Promise<void> {
  const what = await copyingInto(store);
  if (what === undefined) return;
  const message = `the state is not whole: \`sallyport state ${what}\` has not come to its end; let it finish, or run it again`;
  throw new StateError('state-conflict', message);
}

/**
 * Puts every record that has not ended. All lines are read before the first is put, so that a file that is no good
 * changes nothing; and until the last is put, the state says that it is not whole. Throws StateError.
 */
export async function imported(
  store: Store,
  lines: readonly string[],
  now: number,
  what: Copying['what'],
): Promise<number> {
  const records = parsed(lines);
  await store.put('copying', UNDER_WAY, { what });
  let count = 0;
  for (const [kind, key, value, expiresAt] of records) {
    if (expiresAt !== null && expiresAt <= now) continue;
    await store.put(kind, key, value as Collections[Kind], expiresAt ?? undefined);
    count += 1;
  }
  await store.remove('copying', UNDER_WAY);
  return count;
}

function parsed(lines: readonly string[]): readonly Line[] {
  const version = versionOf(lines[0] ?? '');
  const rest = lines.slice(1, version === 1 ? undefined : -1);
  const records = rest.map((line, index) => record(line, index + 2));
  if (version > 1 && lines.at(-1) !== endOf(lines.slice(0, -1)))
    throw new StateError('state-conflict', 'the backup is cut short or was changed: nothing was restored');
  const order = new Map(KINDS.map((kind, index) => [kind, index]));
  return records.sort(([a], [b]) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}

function versionOf(text: string): number {
  let header: { sallyport?: unknown; version?: unknown } = {};
  try {
    header = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (header.sallyport !== 'state' || typeof header.version !== 'number')
    throw new StateError('state-conflict', 'this is not a backup of a state');
  if (header.version > VERSION) {
    const message = `the backup has version ${header.version}; this Sallyport knows ${VERSION}. Use the newer version.`;
    throw new StateError('state-newer', message);
  }
  return header.version;
}

function record(text: string, number: number): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    throw new StateError('state-conflict', `line ${number} of the backup is torn: nothing was restored`);
  }
  const [kind, key, value, expiresAt] = Array.isArray(line) ? (line as unknown[]) : [];
  const good =
    typeof kind === 'string' &&
    LASTING.includes(kind as Kind) &&
    typeof key === 'string' &&
    typeof value === 'object' &&
    value !== null &&
    (expiresAt === null || typeof expiresAt === 'number');
  if (!good)
    throw new StateError('state-conflict', `line ${number} of the backup is no record: nothing was restored`);
  return [kind as Kind, key, value, expiresAt];
}
