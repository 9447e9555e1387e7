// A whole state as lines of text: to back it up, to restore it, and to move it from one store to another. It holds the
// installation's keys, so a file of it is as secret as they are.
import { StateError } from './error.ts';
import type { Collections, Kind, Store } from './store.ts';

/** Version of the lines. */
const VERSION = 1;

/** Every kind, and whether it outlives the processes that made it. */
const KINDS: Readonly<Record<Kind, boolean>> = {
  session: true,
  door: true,
  login: true,
  handoff: true,
  cliCode: true,
  enrolment: true,
  connector: true,
  revokedCertificate: true,
  deviceGrant: true,
  attestationChallenge: true,
  device: true,
  deviceName: true,
  deviceRevocation: true,
  devicePosture: true,
  connectorBond: true,
  baseline: true,
  person: true,
  providerSession: true,
  spentToken: true,
  revocation: true,
  presence: false,
  sharedKey: true,
  keyRing: true,
  browserAsk: true,
  deviceAgent: true,
  usedProof: true,
};

const LASTING = (Object.keys(KINDS) as Kind[]).filter((kind) => KINDS[kind]);

/** One record: kind, key, value, and its end in epoch milliseconds, null for one that stays. */
type Line = readonly [kind: Kind, key: string, value: unknown, expiresAt: number | null];

/** All live records, the header first. */
export async function* exported(store: Store, now: number): AsyncGenerator<string> {
  yield JSON.stringify({ sallyport: 'state', version: VERSION, at: now });
  for (const kind of LASTING) {
    for (const [key, value, expiresAt] of await store.list(kind)) {
      const line: Line = [kind, key, value, Number.isFinite(expiresAt) ? expiresAt : null];
      yield JSON.stringify(line);
    }
  }
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

/**
 * Puts every record that has not ended. All lines are read before the first is put, so that a file that is no good
 * changes nothing. Throws StateError.
 */
export async function imported(store: Store, lines: readonly string[], now: number): Promise<number> {
  const [header = '', ...rest] = lines;
  checkHeader(header);
  const records = rest.map((line, index) => parsed(line, index + 2));
  let count = 0;
  for (const [kind, key, value, expiresAt] of records) {
    if (expiresAt !== null && expiresAt <= now) continue;
    await store.put(kind, key, value as Collections[Kind], expiresAt ?? undefined);
    count += 1;
  }
  return count;
}

function checkHeader(text: string): void {
  let header: { sallyport?: unknown; version?: unknown } = {};
  try {
    header = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (header.sallyport !== 'state' || typeof header.version !== 'number') {
    throw new StateError('state-conflict', 'this is not a backup of a state');
  }
  if (header.version > VERSION) {
    const message = `the backup has version ${header.version}; this Sallyport knows ${VERSION}. Use the newer version.`;
    throw new StateError('state-newer', message);
  }
}

function parsed(text: string, number: number): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    throw new StateError('state-conflict', `line ${number} of the backup is torn: nothing was restored`);
  }
  const [kind, key, value, expiresAt] = Array.isArray(line) ? (line as unknown[]) : [];
  const good =
    typeof kind === 'string' &&
    Object.hasOwn(KINDS, kind) &&
    typeof key === 'string' &&
    typeof value === 'object' &&
    value !== null &&
    (expiresAt === null || typeof expiresAt === 'number');
  if (!good)
    throw new StateError('state-conflict', `line ${number} of the backup is no record: nothing was restored`);
  return [kind as Kind, key, value, expiresAt];
}
