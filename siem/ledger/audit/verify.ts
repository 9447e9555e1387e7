// Audits the logs of one gateway from its state directory alone: records, tiles, bundles, checkpoints. It changes
// nothing, works beside a running gateway, and trusts only what the log's key has signed.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptedChange } from '../accepted-change.ts';
import { type Checkpoint, openCheckpoint } from '../checkpoint.ts';
import { Frontier } from '../frontier.ts';
import { HASH_BYTES } from '../hash.ts';
import { readVerifier, VERIFIER } from '../key.ts';
import { actionOf, LOGS, type LogName } from '../kinds.ts';
import { CHECKPOINT } from '../log.ts';
import { NoteError, type NoteVerifier, parseVerifier } from '../note.ts';
import { TILE_WIDTH, tileWidth } from '../tile.ts';
import { readIn, readTile } from '../tile-reader.ts';
import { align, leavesFromRecords, startOf } from './align.ts';
import { checkBundles, lastEntry, leavesFromBundles } from './bundles.ts';
import { type Finding, Findings } from './finding.ts';
import { type Claim, type Records, readRecords } from './records.ts';
import { TileAudit } from './tiles.ts';

export interface AuditOptions {
  /** Keys that were kept elsewhere, in the place of those beside the logs. */
  readonly keys?: readonly string[];
  /** Files with checkpoints that were kept elsewhere. */
  readonly since?: readonly string[];
}

export interface LogAudit {
  readonly log: LogName;
  readonly key: string;
  /** Leaves under the checkpoint. */
  readonly size: number;
  /** Hex. */
  readonly root: string;
  /** Records still in the outbox that were compared with it. */
  readonly records: number;
  /** Records that wait for the next checkpoint. */
  readonly pending: number;
}

export interface Audit {
  readonly logs: readonly LogAudit[];
  readonly findings: readonly Finding[];
  /** All findings, also those beyond the ones that are told. */
  readonly found: number;
}

/** Throws NoteError for a key of `options` that is none; everything else is a finding. */
export async function auditState(state: string, options: AuditOptions = {}): Promise<Audit> {
  const findings = new Findings();
  const keys = (options.keys ?? []).map(parseVerifier);
  // One that is passed over in silence would vouch for nothing.
  const odd = keys.find((key, index) => {
    const log = logOfKey(key);
    return log === undefined || keys.findIndex((other) => logOfKey(other) === log) !== index;
  });
  if (odd !== undefined) {
    const why = logOfKey(odd) === undefined ? 'the key of no log here' : 'a second key of that log';
    throw new NoteError(
      `${odd.name} is ${why}; they are named ${LOGS.map((log) => `…/${log}`).join(' and ')}`,
    );
  }
  const opened = LOGS.map((log) => openLog(join(state, 'ledger', log), log, keys, findings));
  const outbox = join(state, 'outbox');
  const records = await readRecords(outbox, findings);
  const logs = opened.flatMap((log) => (log === undefined ? [] : [auditLog(log, outbox, records, findings)]));
  for (const file of options.since ?? []) checkKept(file, opened, logs, findings);
  return { logs: logs.map(({ audit }) => audit), findings: findings.told, found: findings.count };
}

function logOfKey({ name }: NoteVerifier): LogName | undefined {
  return LOGS.find((log) => name.endsWith(`/${log}`));
}

interface OpenedLog {
  readonly log: LogName;
  readonly directory: string;
  readonly verifier: NoteVerifier;
  readonly checkpoint: Checkpoint | undefined;
}

function openLog(
  directory: string,
  log: LogName,
  keys: readonly NoteVerifier[],
  findings: Findings,
): OpenedLog | undefined {
  let verifier = keys.find((key) => logOfKey(key) === log);
  try {
    verifier ??= readVerifier(directory);
  } catch (error) {
    findings.add(join(directory, VERIFIER), undefined, `no key to check with: ${(error as Error).message}`);
    return undefined;
  }
  const note = readIn(directory, CHECKPOINT);
  if (note === undefined) {
    findings.add(join(directory, CHECKPOINT), undefined, 'is missing: nothing says what the log holds');
    return { log, directory, verifier, checkpoint: undefined };
  }
  return {
    log,
    directory,
    verifier,
    checkpoint: openNamed(join(directory, CHECKPOINT), note, verifier, findings),
  };
}

/** A checkpoint whose bytes are vouched for; what is wrong with it is a finding. */
function openNamed(
  file: string,
  note: Buffer,
  verifier: NoteVerifier,
  findings: Findings,
): Checkpoint | undefined {
  try {
    return openCheckpoint(note.toString('utf8'), verifier);
  } catch (error) {
    if (!(error instanceof NoteError)) throw error;
    findings.add(file, 0, `is not what ${verifier.name} signed: ${error.message}`);
    return undefined;
  }
}

interface Audited {
  readonly audit: LogAudit;
  readonly verifier: NoteVerifier;
  readonly row: Buffer;
}

function auditLog(
  { log, directory, verifier, checkpoint }: OpenedLog,
  outbox: string,
  { leaves, end }: Records,
  findings: Findings,
): Audited {
  const records = leaves[log];
  // With a checkpoint that was tampered with, the newest one that was shipped says what the log held.
  const authority = checkpoint ?? newestClaim(records.claims);
  const stored = storedLeaves(directory, authority.size);
  const start = startOf(records, stored);
  const leavesOf =
    log === 'changes' ? leavesFromBundles(directory, authority.size) : leavesFromRecords(records, start);
  const { leaves: row } = new TileAudit(directory, authority, leavesOf, findings);
  if (log === 'changes') checkBundles(directory, row, findings);
  const keepsLast = log === 'decisions';
  const pending = align({ directory: outbox, records, row, start, keepsLast, end, findings });
  checkClaims(directory, verifier, records.claims, row, findings);
  const audit = {
    log,
    key: verifier.text,
    size: authority.size,
    root: authority.root.toString('hex'),
    records: records.count - pending,
    pending,
  };
  return { audit, verifier, row };
}

function newestClaim(claims: readonly Claim[]): Checkpoint {
  const newest = claims.reduce((best, claim) => (claim.size > best.size ? claim : best), {
    size: 0,
    root: '',
  });
  return { size: newest.size, root: Buffer.from(newest.root, 'hex') };
}

/** Leaf hashes as the tiles have them, unchecked: good for finding a place. */
function storedLeaves(directory: string, size: number): Buffer {
  const row = Buffer.alloc(size * HASH_BYTES);
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const tile = readTile(directory, 0, index, tileWidth(size, 0, index));
    tile?.copy(row, index * TILE_WIDTH * HASH_BYTES);
  }
  return row;
}

/** Checkpoints that were shipped before must be of this same log: each root is that of its first leaves. */
function checkClaims(
  directory: string,
  verifier: NoteVerifier,
  claims: readonly Claim[],
  row: Buffer,
  findings: Findings,
): void {
  const sizes = row.length / HASH_BYTES;
  const roots = rootsAt(
    claims.map(({ size }) => size),
    row,
  );
  for (const { size, root, file, position } of claims) {
    if (roots.get(size) === root) continue;
    if (size <= sizes) {
      findings.add(file, position, `the checkpoint of ${size} leaves here is not of this log`);
    } else if (size > newestSize(directory, verifier)) {
      const path = join(directory, CHECKPOINT);
      findings.add(
        path,
        0,
        `is older than one that was shipped: ${size} leaves were signed, it has ${sizes}`,
      );
    }
  }
}

/** The log may have grown while it was read. */
function newestSize(directory: string, verifier: NoteVerifier): number {
  try {
    return openCheckpoint(readIn(directory, CHECKPOINT)?.toString('utf8') ?? '', verifier).size;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Roots, hex, of the trees over the first so many hashes of `row`. */
function rootsAt(sizes: readonly number[], row: Buffer): Map<number, string> {
  const roots = new Map<number, string>();
  const wanted = new Set(sizes);
  const frontier = new Frontier();
  if (wanted.has(0)) roots.set(0, frontier.root().toString('hex'));
  const last = Math.min(row.length / HASH_BYTES, Math.max(0, ...wanted));
  for (let index = 0; index < last; index++) {
    frontier.append(row.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
    if (wanted.has(index + 1)) roots.set(index + 1, frontier.root().toString('hex'));
  }
  return roots;
}

/** A checkpoint that somebody kept off this machine must be of a log that this one continues. */
function checkKept(
  file: string,
  opened: readonly (OpenedLog | undefined)[],
  logs: readonly Audited[],
  findings: Findings,
): void {
  if (!existsSync(file)) {
    findings.add(file, undefined, 'is not there');
    return;
  }
  const note = readFileSync(file);
  const [origin] = note.toString('utf8').split('\n');
  const verifier = opened.find((one) => one?.verifier.name === origin)?.verifier;
  const log = logs.find((one) => one.verifier === verifier);
  if (verifier === undefined || log === undefined) {
    findings.add(file, 0, `is of ${JSON.stringify(origin)}, which is no log here`);
    return;
  }
  const kept = openNamed(file, note, verifier, findings);
  if (kept === undefined) return;
  if (rootsAt([kept.size], log.row).get(kept.size) === kept.root.toString('hex')) return;
  const problem =
    kept.size > log.audit.size
      ? `has ${kept.size} leaves and the log here only ${log.audit.size}: it was set back`
      : 'was signed for other records than the log here holds: history was rewritten';
  findings.add(file, 0, problem);
}

/** What the log says is in force: hashes from the newest policy and the newest start. */
export interface Logged {
  readonly policy: string | undefined;
  readonly configuration: string | undefined;
  readonly code: string | undefined;
  /** Id of the signed change. */
  readonly change: string | undefined;
}

/** Read from the changes log, which must have been audited. */
export function readLogged(state: string, size: number): Logged {
  const directory = join(state, 'ledger', 'changes');
  const newest = (action: string): NewestEntry => {
    const entry = lastEntry(directory, size, (one) => actionOf(one) === action);
    return entry === undefined ? {} : (JSON.parse(entry.toString('utf8')) as NewestEntry);
  };
  const { gateway } = newest('gateway-started').sallyport ?? {};
  return {
    policy: newest('policy-loaded').sallyport?.change?.hash,
    configuration: gateway?.config_hash,
    code: gateway?.code_hash,
    change: acceptedChange(directory, size),
  };
}

interface NewestEntry {
  readonly sallyport?: {
    readonly change?: { readonly hash?: string };
    readonly gateway?: { readonly config_hash?: string; readonly code_hash?: string };
  };
}
