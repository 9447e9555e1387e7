// The store of a single gateway: one SQLite file that one process owns. It must never be shared by two.
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { isSqliteBusy } from '#siem/sqlite-busy';
import { Counts } from './counts.ts';
import { StateError } from './error.ts';
import { requirePrivate } from './private-files.ts';
import { type Change, type Collections, type Held, type Kind, type Store, Updating } from './store.ts';

/**
 * Each step takes a file from the layout before it to its own, so that every older state can be read; the number of
 * steps is the layout's version, kept in SQLite's user_version. Steps are never changed, only added.
 */
const LAYOUTS: readonly string[] = [
  'CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, ' +
    'expires INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;' +
    'CREATE INDEX record_expires ON record (expires);',
];

/** How often expired records are swept out, in milliseconds. They are invisible before that. */
const SWEEP_INTERVAL = 60_000;

/** How a record without an end is written down. */
const FOREVER = Number.MAX_SAFE_INTEGER;

export class EmbeddedStore extends Updating implements Store {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  readonly #counts: Counts;
  readonly #sweep: NodeJS.Timeout;
  readonly #listeners = new Map<string, ((message: string) => void)[]>();
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #take: StatementSync;
  readonly #list: StatementSync;

  constructor(db: DatabaseSync, now: () => number) {
    super();
    this.#db = db;
    this.#now = now;
    this.#counts = new Counts(now);
    this.#get = db.prepare('SELECT value, expires FROM record WHERE kind = ? AND key = ?');
    this.#put = db.prepare(
      'INSERT INTO record (kind, key, value, expires) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires = excluded.expires',
    );
    this.#take = db.prepare('DELETE FROM record WHERE kind = ? AND key = ? RETURNING value, expires');
    this.#list = db.prepare(
      'SELECT key, value, expires FROM record WHERE kind = ? AND expires > ? ORDER BY key',
    );
    const expired = db.prepare('DELETE FROM record WHERE expires <= ?');
    this.#sweep = setInterval(() => {
      this.#counts.sweep();
      try {
        expired.run(this.#now());
      } catch {
        // As on a full disk: nobody waits for it, and the next sweep has another try.
      }
    }, SWEEP_INTERVAL).unref();
  }

  async get<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    return this.#live<K>(kind, key);
  }

  async put<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<void> {
    this.#put.run(kind, key, JSON.stringify(value), Math.min(expiresAt ?? FOREVER, FOREVER));
  }

  /** Nobody can come in between: SQLite's calls do not give way to others. */
  async update<K extends Kind>(
    kind: K,
    key: string,
    change: (current: Collections[K] | undefined) => Change<K>,
  ): Promise<boolean> {
    const next = change(this.#live<K>(kind, key));
    if (next === undefined) return false;
    await this.put(kind, key, next.value, next.expiresAt);
    return true;
  }

  /** What was found expired is gone for good: a clock that is set back later must not bring it back. */
  #live<K extends Kind>(kind: K, key: string): Collections[K] | undefined {
    const row = this.#get.get(kind, key);
    if (row === undefined || Number(row['expires']) > this.#now()) return parse(row);
    this.#take.get(kind, key);
    return undefined;
  }

  async take<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    const row = this.#take.get(kind, key);
    return row === undefined || Number(row['expires']) <= this.#now() ? undefined : parse(row);
  }

  async admit(key: string, limit: number, period: number): Promise<number> {
    return this.#counts.admit(key, limit, period);
  }

  async remove(kind: Kind, key: string): Promise<boolean> {
    return (await this.take(kind, key)) !== undefined;
  }

  async list<K extends Kind>(kind: K): Promise<readonly Held<K>[]> {
    return this.#list.all(kind, this.#now()).map((row) => {
      const expires = Number(row['expires']);
      const value = JSON.parse(String(row['value'])) as Collections[K];
      return [String(row['key']), value, expires === FOREVER ? Number.POSITIVE_INFINITY : expires];
    });
  }

  async publish(channel: string, message: string): Promise<void> {
    for (const listener of this.#listeners.get(channel) ?? []) queueMicrotask(() => listener(message));
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    this.#listeners.set(channel, [...(this.#listeners.get(channel) ?? []), listener]);
  }

  confirmedAt(): number {
    return performance.now();
  }

  warnings(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#listeners.clear();
    this.#db.close();
  }
}

function parse<K extends Kind>(row: Record<string, unknown> | undefined): Collections[K] | undefined {
  return row === undefined ? undefined : (JSON.parse(String(row['value'])) as Collections[K]);
}

/** Opens (and on first start creates) the store below `directory`, which must be private to this user. */
export function openEmbeddedStore(directory: string, now: () => number): EmbeddedStore {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  requirePrivate(directory);
  const file = join(directory, 'state.sqlite');
  const db = opened(file);
  try {
    // Exclusive: a second gateway on the same state would break "exactly one" for single-use tokens' cache
    // and the event sequence. FULL: an acknowledged revocation survives a power cut.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    // Also one that an earlier start made, and then could not fill.
    chmodSync(file, 0o600);
    migrate(db, file);
  } catch (cause) {
    db.close();
    if (cause instanceof StateError) throw cause;
    throw unusable(file, cause);
  }
  return new EmbeddedStore(db, now);
}

function opened(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file);
  } catch (cause) {
    throw unusable(file, cause);
  }
}

function unusable(file: string, cause: unknown): StateError {
  if (isSqliteBusy(cause)) {
    const message = `${file} cannot be used: is another gateway running on this state directory?`;
    return new StateError('state-locked', message, { cause });
  }
  const message = `${file} cannot be used: ${(cause as Error).message}. Look at its owner and mode and at the disk, or restore a backup`;
  return new StateError('state-unusable', message, { cause });
}

function migrate(db: DatabaseSync, file: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  const newest = LAYOUTS.length;
  if (version > newest) {
    const message = `${file} has layout ${version}; this Sallyport knows ${newest}. Use the newer version.`;
    throw new StateError('state-newer', message);
  }
  for (const [index, step] of LAYOUTS.entries()) {
    if (index >= version) db.exec(`BEGIN; ${step} PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}
