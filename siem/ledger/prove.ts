// Makes the portable proof that one record is in its log, from the state directory; a running gateway is not asked.
import { join } from 'node:path';
import { findLine } from '../outbox/read.ts';
import { entriesOf } from './audit/bundles.ts';
import { indexOfHash } from './audit/finding.ts';
import { openCheckpoint } from './checkpoint.ts';
import { HASH_BYTES, leafHash } from './hash.ts';
import { readVerifier } from './key.ts';
import { actionOf, type LogName, logOf } from './kinds.ts';
import { CHECKPOINT } from './log.ts';
import { NoteError } from './note.ts';
import { inclusionProof } from './proof.ts';
import { TILE_WIDTH } from './tile.ts';
import { readIn, TileReader } from './tile-reader.ts';
import type { TlogProof } from './tlog-proof.ts';

export interface Proven {
  readonly log: LogName;
  /** The leaf, from 0. */
  readonly index: number;
  /** The record, byte for byte as it was logged and shipped. */
  readonly record: Buffer;
  readonly proof: TlogProof;
}

/**
 * The proof for the record whose `event.id` is `id`; undefined if no record here has it. Throws NoteError if it is not
 * under a checkpoint, LedgerError if the tiles are damaged.
 */
export async function proveRecord(state: string, id: string): Promise<Proven | undefined> {
  const record = (await findLine(join(state, 'outbox'), id)) ?? findChange(state, id);
  if (record === undefined) return undefined;
  const log = logOf(actionOf(record));
  const directory = join(state, 'ledger', log);
  const note = readIn(directory, CHECKPOINT)?.toString('utf8') ?? '';
  const { size } = openCheckpoint(note, readVerifier(directory));
  const reader = new TileReader(directory, size);
  const index = findLeaf(reader, size, leafHash(record));
  if (index === undefined) {
    throw new NoteError(
      `the record is not under the checkpoint of ${size} leaves: it is younger than a second, or it was changed`,
    );
  }
  const hashes = inclusionProof(index, size, reader.node);
  return { log, index, record, proof: { index, hashes, checkpoint: note } };
}

/** Changes are kept in their log when the outbox has them no more. */
function findChange(state: string, id: string): Buffer | undefined {
  const directory = join(state, 'ledger', 'changes');
  const note = readIn(directory, CHECKPOINT);
  if (note === undefined) return undefined;
  const { size } = openCheckpoint(note.toString('utf8'), readVerifier(directory));
  const needle = Buffer.from(`"id":${JSON.stringify(id)}`);
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const found = entriesOf(directory, size, index).find((entry) => entry.includes(needle));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The newest tiles first: what is asked for is mostly what happened lately. */
function findLeaf(reader: TileReader, size: number, leaf: Buffer): number | undefined {
  for (let tile = Math.ceil(size / TILE_WIDTH) - 1; tile >= 0; tile--) {
    const row = reader.tile(0, tile);
    const found = indexOfHash(row, leaf, 0, row.length / HASH_BYTES);
    if (found !== -1) return tile * TILE_WIDTH + found;
  }
  return undefined;
}
