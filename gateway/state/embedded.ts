// The store of a single gateway: one SQLite file that one process owns. It must never be shared by two.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { requirePrivate } from './private-files.ts';
import { Recent } from './recent.ts';
import type { Collections, Kind, Store } from './store.ts';

/** Layout version, kept in SQLite's user_version. */
const SCHEMA_VERSION = 1;

/** How often expired records are swept out, in milliseconds. They are invisible before that. */
const SWEEP_INTERVAL = 60_000;

/** The state directory is owned by another process, or was written by a newer Sallyport. */
export class StateError extends Error {
  readonly code: 'state-locked' | 'state-newer';
  constructor(code: StateError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class EmbeddedStore implements Store {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  readonly #sweep: NodeJS.Timeout;
  readonly #recent = new Recent();
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #create: StatementSync;
  readonly #replace: StatementSync;
  readonly #take: StatementSync;
  readonly #list: StatementSync;

  constructor(db: DatabaseSync, now: () => number) {
    this.#db = db;
    this.#now = now;
    this.#get = db.prepare('SELECT value, expires FROM record WHERE kind = ? AND key = ? AND expires > ?');
    this.#put = db.prepare(
      'INSERT INTO record (kind, key, value, expires) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires = excluded.expires',
    );
    this.#create = db.prepare(
      'INSERT INTO record (kind, key, value, expires) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, expires = excluded.expires ' +
        'WHERE record.expires <= ?',
    );
    this.#replace = db.prepare(
      'UPDATE record SET value = ?, expires = ? WHERE kind = ? AND key = ? AND expires > ?',
    );
    this.#take = db.prepare('DELETE FROM record WHERE kind = ? AND key = ? RETURNING value, expires');
    this.#list = db.prepare('SELECT key, value FROM record WHERE kind = ? AND expires > ? ORDER BY key');
    const expired = db.prepare('DELETE FROM record WHERE expires <= ?');
    this.#sweep = setInterval(() => {
      expired.run(this.#now());
      this.#recent.forgetAll();
    }, SWEEP_INTERVAL).unref();
  }

  async get<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    const now = this.#now();
    const known = this.#recent.find(kind, key);
    if (known !== undefined) return known.expires > now ? (known.value as Collections[K]) : undefined;
    const row = this.#get.get(kind, key, now);
    const value = parse<K>(row);
    if (value !== undefined) this.#recent.keep(kind, key, value, Number(row?.['expires']));
    return value;
  }

  async put<K extends Kind>(kind: K, key: string, value: Collections[K], expiresAt?: number): Promise<void> {
    this.#recent.forget(kind, key);
    this.#put.run(kind, key, JSON.stringify(value), expiresAt ?? Number.MAX_SAFE_INTEGER);
  }

  async create<K extends Kind>(
    kind: K,
    key: string,
    value: Collections[K],
    expiresAt?: number,
  ): Promise<boolean> {
    const expires = expiresAt ?? Number.MAX_SAFE_INTEGER;
    this.#recent.forget(kind, key);
    return this.#create.run(kind, key, JSON.stringify(value), expires, this.#now()).changes > 0;
  }

  async replace<K extends Kind>(
    kind: K,
    key: string,
    value: Collections[K],
    expiresAt?: number,
  ): Promise<boolean> {
    const expires = expiresAt ?? Number.MAX_SAFE_INTEGER;
    this.#recent.forget(kind, key);
    return this.#replace.run(JSON.stringify(value), expires, kind, key, this.#now()).changes > 0;
  }

  async take<K extends Kind>(kind: K, key: string): Promise<Collections[K] | undefined> {
    this.#recent.forget(kind, key);
    const row = this.#take.get(kind, key);
    return row === undefined || Number(row['expires']) <= this.#now() ? undefined : parse(row);
  }

  async remove(kind: Kind, key: string): Promise<boolean> {
    return (await this.take(kind, key)) !== undefined;
  }

  async list<K extends Kind>(kind: K): Promise<readonly (readonly [string, Collections[K]])[]> {
    return this.#list
      .all(kind, this.#now())
      .map((row) => [String(row['key']), JSON.parse(String(row['value'])) as Collections[K]] as const);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#recent.forgetAll();
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
  const fresh = !existsSync(file);
  const db = new DatabaseSync(file);
  try {
    // Exclusive: a second gateway on the same state would break "exactly one" for single-use tokens' cache
    // and the event sequence. FULL: an acknowledged revocation survives a power cut.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    if (fresh) chmodSync(file, 0o600);
    migrate(db, file);
  } catch (cause) {
    db.close();
    if (cause instanceof StateError) throw cause;
    const message = `${file} cannot be used: is another gateway running on this state directory?`;
    throw new StateError('state-locked', message, { cause });
  }
  return new EmbeddedStore(db, now);
}

function migrate(db: DatabaseSync, file: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > SCHEMA_VERSION) {
    const message = `${file} has layout ${version}; this Sallyport knows ${SCHEMA_VERSION}. Use the newer version.`;
    throw new StateError('state-newer', message);
  }
  db.exec(
    'CREATE TABLE IF NOT EXISTS record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, ' +
      'expires INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;' +
      'CREATE INDEX IF NOT EXISTS record_expires ON record (expires);' +
      `PRAGMA user_version = ${SCHEMA_VERSION};`,
  );
}
