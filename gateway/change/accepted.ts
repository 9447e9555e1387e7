// The change in force, as a gateway keeps it: whole, so that what it puts in force is read from here and not from files
// that anybody may have edited. It is put aside before it is logged, and counts from when it is.
import { hash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from '#gateway/state/private-files';
import { type Change, readChange, writeBundle } from './bundle.ts';
import { ChangeRefusal } from './reasons.ts';

const CURRENT = 'current.json';
const PENDING = 'pending.json';
const ENDED = 'ended.json';

/** What is kept is not what was logged. `message` says which file, and what to do. */
export class KeptChangeError extends Error {
  readonly code = 'kept-change';
}

/** The change that a gateway with this state accepted last, for a look from outside; undefined if there is none whole. */
export function currentChange(state: string): Change | undefined {
  try {
    return readChange(readFileSync(join(state, 'changes', CURRENT), 'utf8'));
  } catch {
    return undefined;
  }
}

export class AcceptedChanges {
  readonly #directory: string;
  #current: Change | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * `logged`: id of the change that the transparency log says was accepted last. Throws KeptChangeError when what is
   * kept is another one, or was changed.
   */
  static open(state: string, logged: string | undefined): AcceptedChanges {
    const kept = new AcceptedChanges(join(state, 'changes'));
    // A crash between the log's entry and the change itself.
    if (logged !== undefined && kept.#read(PENDING)?.id === logged) kept.#promote();
    kept.#current = kept.#read(CURRENT);
    const ended = kept.#current === undefined && kept.#read(ENDED)?.id === logged;
    if (logged !== undefined && kept.#current?.id !== logged && !ended) {
      const found = kept.#current === undefined ? 'none' : kept.#current.id;
      throw new KeptChangeError(
        `${kept.#path(CURRENT)} should hold the change ${logged}, which was accepted last, and holds ${found}: put it back, or apply that change again after moving the ledger away`,
      );
    }
    return kept;
  }

  get current(): Change | undefined {
    return this.#current;
  }

  /** Keeps a change for good; `log` writes it to the transparency log. If that rejects, nothing has changed. */
  async keep(change: Change, log: () => Promise<unknown>): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeWhole(this.#path(PENDING), writeBundle(change.bundle));
    await log();
    this.#promote();
    this.#current = change;
  }

  /** A change that was accepted said that changes need no signatures any more. */
  end(): void {
    renameSync(this.#path(CURRENT), this.#path(ENDED));
    this.#current = undefined;
  }

  #promote(): void {
    renameSync(this.#path(PENDING), this.#path(CURRENT));
    const directory = openSync(this.#directory, 'r');
    fsyncSync(directory);
    closeSync(directory);
  }

  #read(name: string): Change | undefined {
    const path = this.#path(name);
    if (!existsSync(path)) return undefined;
    try {
      const change = readChange(readFileSync(path, 'utf8'));
      for (const [file, { sha256 }] of Object.entries(change.statement.files)) {
        if (hash('sha256', change.bundle.contents[file] ?? '', 'hex') !== sha256)
          throw new ChangeRefusal('tampered', file);
      }
      return change;
    } catch (error) {
      if (!(error instanceof ChangeRefusal)) throw error;
      // One that never counted may be cut short.
      if (name === PENDING) {
        rmSync(path);
        return undefined;
      }
      throw new KeptChangeError(`${path}: ${error.message}; put back the change that was accepted last`, {
        cause: error,
      });
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}
