// Writes one transparency log (C2SP tlog-tiles). A checkpoint is signed only when all it covers is on the platter.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, openCheckpoint, signCheckpoint } from './checkpoint.ts';
import { LedgerError } from './error.ts';
import { writeDurably } from './files.ts';
import { Frontier } from './frontier.ts';
import { HASH_BYTES } from './hash.ts';
import { openSigner } from './key.ts';
import { MAX_ENTRY_BYTES } from './kinds.ts';
import { NoteError, type NoteSigner } from './note.ts';
import { levelWidth, TILE_BYTES, TILE_WIDTH, type TileLevel, tilePath, tileWidth } from './tile.ts';
import { readIn, readTile, TileReader } from './tile-reader.ts';

export const CHECKPOINT = 'checkpoint';

/** What was signed, and the note itself. */
export interface Sealed extends Checkpoint {
  readonly note: string;
}

export class TransparencyLog {
  readonly directory: string;
  readonly #signer: NoteSigner;
  readonly #keepsEntries: boolean;
  readonly #frontier: Frontier;
  /** The rightmost tile of each level, which is not full. */
  readonly #partial = new Map<TileLevel, Buffer[]>();
  /** Full tiles that are not written yet, by path. */
  #full = new Map<string, Buffer>();
  /** Paths of tiles that lie there as they were when they were not full. */
  readonly #grown = new Set<string>();
  #sealed: Sealed | undefined;

  private constructor(directory: string, signer: NoteSigner, keepsEntries: boolean, sealed?: Sealed) {
    this.directory = directory;
    this.#signer = signer;
    this.#keepsEntries = keepsEntries;
    this.#sealed = sealed;
    const size = sealed?.size ?? 0;
    const reader = new TileReader(directory, size);
    this.#frontier = new Frontier(size, reader.node);
    for (let level = 0; levelWidth(size, level) > 0; level++) {
      const width = levelWidth(size, level) % TILE_WIDTH;
      if (width > 0) {
        const tile = reader.tile(level, Math.floor(levelWidth(size, level) / TILE_WIDTH));
        this.#partial.set(level, splitTile(tile));
        this.#grown.add(tilePath(level, Math.floor(levelWidth(size, level) / TILE_WIDTH), TILE_WIDTH));
      }
    }
    if (keepsEntries && size % TILE_WIDTH > 0) {
      this.#partial.set('entries', splitBundle(this.#openBundle(size)).slice(0, size % TILE_WIDTH));
      this.#grown.add(tilePath('entries', Math.floor(size / TILE_WIDTH), TILE_WIDTH));
    }
  }

  /**
   * Opens the log in `directory`, making it and its key on first use. With `entries` it keeps the entries too.
   * Throws LedgerError if what is there is not what was signed.
   */
  static async open(directory: string, origin: string, entries: boolean): Promise<TransparencyLog> {
    const signer = await openSigner(directory, origin);
    const note = readIn(directory, CHECKPOINT)?.toString('utf8');
    try {
      const sealed = note === undefined ? undefined : { ...openCheckpoint(note, signer.verifier), note };
      const log = new TransparencyLog(directory, signer, entries, sealed);
      if (sealed !== undefined && !log.#frontier.root().equals(sealed.root)) {
        throw new LedgerError('damaged', `the tiles in ${directory} are not those that were signed`);
      }
      // That nothing is in it yet is said, too: a log without a checkpoint is one from which somebody took it.
      if (sealed === undefined) await log.seal();
      return log;
    } catch (error) {
      if (!(error instanceof NoteError || error instanceof LedgerError)) throw error;
      const message = `${join(directory, CHECKPOINT)}: ${error.message}. Run: sallyport audit verify`;
      throw new LedgerError('damaged', message, { cause: error });
    }
  }

  /** Leaves, with those that no checkpoint covers yet. */
  get size(): number {
    return this.#frontier.size;
  }

  /** The last checkpoint; undefined before the first. */
  get sealed(): Sealed | undefined {
    return this.#sealed;
  }

  /** Hash of the last leaf that is sealed; undefined while there is none. */
  lastLeaf(): Buffer | undefined {
    const size = this.#sealed?.size ?? 0;
    return size === 0 ? undefined : new TileReader(this.directory, size).node(0, size - 1);
  }

  /** Throws LedgerError `entry-too-long`. */
  append(leaf: Buffer, entry: Uint8Array): void {
    if (this.#keepsEntries) {
      if (entry.length > MAX_ENTRY_BYTES) {
        throw new LedgerError('entry-too-long', `an entry of ${entry.length} bytes fits no bundle`);
      }
      const index = Math.floor(this.#frontier.size / TILE_WIDTH);
      this.#add('entries', index, Buffer.concat([Buffer.of(entry.length >> 8, entry.length), entry]));
    }
    const before = this.#frontier.size;
    this.#frontier.append(leaf, (level, hash) => {
      // The hash that completes a subtree is the last one of its level so far.
      this.#add(level, Math.floor((levelWidth(before + 1, level) - 1) / TILE_WIDTH), hash);
    });
  }

  #add(level: TileLevel, index: number, member: Buffer): void {
    const members = this.#partial.get(level) ?? [];
    members.push(member);
    if (members.length < TILE_WIDTH) this.#partial.set(level, members);
    else {
      this.#full.set(tilePath(level, index, TILE_WIDTH), Buffer.concat(members));
      this.#partial.delete(level);
    }
  }

  /** Writes what was appended, then signs the tree. May be called again after it failed. */
  async seal(): Promise<Sealed> {
    const { size } = this.#frontier;
    const root = this.#frontier.root();
    const full = this.#full;
    const files = new Map(full);
    for (const [level, members] of this.#partial) {
      const index = Math.floor(levelWidth(size, level === 'entries' ? 0 : level) / TILE_WIDTH);
      files.set(tilePath(level, index, members.length), Buffer.concat(members));
      this.#grown.add(tilePath(level, index, TILE_WIDTH));
    }
    await writeDurably(this.directory, files);
    const note = signCheckpoint({ size, root }, this.#signer);
    await writeDurably(this.directory, new Map([[CHECKPOINT, Buffer.from(note)]]));
    // Full tiles stand for the partial ones that they grew from.
    for (const path of full.keys()) {
      if (this.#grown.delete(path))
        await rm(`${join(this.directory, path)}.p`, { recursive: true, force: true });
    }
    this.#full = new Map([...this.#full].filter(([path]) => !full.has(path)));
    this.#sealed = { size, root, note };
    return this.#sealed;
  }

  #openBundle(size: number): Buffer {
    const index = Math.floor(size / TILE_WIDTH);
    const bundle = readTile(this.directory, 'entries', index, tileWidth(size, 0, index));
    if (bundle !== undefined) return bundle;
    const path = join(this.directory, tilePath('entries', index, size % TILE_WIDTH));
    throw new LedgerError('damaged', `${path} is missing`);
  }
}

function splitTile(tile: Buffer): Buffer[] {
  return Array.from({ length: Math.min(tile.length, TILE_BYTES) / HASH_BYTES }, (_, index) =>
    tile.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES),
  );
}

/** The members of a bundle, each with its length in front. A torn last one is left out. */
export function splitBundle(bundle: Buffer): Buffer[] {
  const members: Buffer[] = [];
  for (let offset = 0; offset + 2 <= bundle.length; ) {
    const end = offset + 2 + bundle.readUInt16BE(offset);
    if (end > bundle.length) break;
    members.push(bundle.subarray(offset, end));
    offset = end;
  }
  return members;
}
