// kill -9 of the recording process at 200 random points while it ships: no acknowledged event may be missing from the
// outbox, from its log or from the receiver, and a repeat must have the id of what it repeats. Then 1,000 bits are
// flipped in what is on disk, one after the other: the audit must name the place of each. Before all that, a receiver is
// down (see siem-outage.ts).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditState } from '#siem/ledger/audit/verify';
import { readOutbox } from '#siem/outbox/read';
import { live } from '../siem/ledger/part.ts';
import { type Tampering, tamper } from '../siem/ledger/tampering.ts';
import type { FaultOptions, FaultReport } from './report.ts';
import { outage } from './siem-outage.ts';

const KILLS = 200;
const FLIPS = 1_000;
/** Scaled down from the hour that `npm run fault -- outage` takes. */
const OUTAGE_SECONDS = 200;
/** A writer that is not ready by then will not be, however busy the machine. */
const READY_WITHIN = 120_000;

interface Received {
  /** Lines by event id: one, or the same again. */
  readonly lines: Map<string, Set<string>>;
  repeats: number;
}

export async function run({ progress }: FaultOptions): Promise<FaultReport> {
  const down = await outage(progress, OUTAGE_SECONDS);
  const killed = await killing(progress);
  const figures = { ...killed.figures, ...down.figures };
  return { table: tableOf(figures), figures, held: killed.held && down.held };
}

async function killing(progress: FaultOptions['progress']): Promise<FaultReport> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-fault-'));
  const received: Received = { lines: new Map(), repeats: 0 };
  const server = receiver(received);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const acknowledged = new Set<string>();
  let torn = 0;
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      const outcome = await writeAndDie(directory, url, acknowledged);
      torn += outcome.repairedBytes > 0 ? 1 : 0;
      if (kill % 20 === 0)
        progress(`${kill} kills, ${acknowledged.size} events acknowledged, ${torn} torn tails`);
    }
    await drain(directory, url);
    const judged = await judge(directory, acknowledged, received, torn);
    const tampering = await tamperWith(join(directory, 'small'), progress);
    return withTampering(judged, tampering);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Not the log that the kills left, which is too long to be audited a thousand times. */
async function tamperWith(state: string, progress: FaultOptions['progress']): Promise<Tampering> {
  mkdirSync(state, { mode: 0o700 });
  await live(state, 600, { segmentBytes: 400_000 });
  await live(state, 300, { segmentBytes: 400_000 });
  const outcome = await tamper(state, FLIPS, Math.random);
  progress(`${outcome.found} of ${outcome.tampered} flipped bits found and named`);
  for (const missed of outcome.missed.slice(0, 10)) progress(`missed: ${missed}`);
  return outcome;
}

function withTampering(judged: FaultReport, { tampered, found }: Tampering): FaultReport {
  const figures = { ...judged.figures, tampered, tampered_found: found };
  const held = judged.held && tampered === FLIPS && found === tampered;
  return { table: tableOf(figures), figures, held };
}

function tableOf(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([key, value]) => `${key.padEnd(28)} ${value}`)
    .join('\n');
}

function receiver(received: Received): ReturnType<typeof createServer> {
  return createServer(async (request, response) => {
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    for (const line of body.toString('utf8').split('\n')) {
      if (line === '') continue;
      const { id } = (JSON.parse(line) as { event: { id: string } }).event;
      const known = received.lines.get(id);
      if (known === undefined) received.lines.set(id, new Set([line]));
      else {
        known.add(line);
        received.repeats += 1;
      }
    }
    response.writeHead(204).end();
  });
}

function startWriter(directory: string, url: string, task: string): ReturnType<typeof spawn> {
  const writer = join(import.meta.dirname, 'siem-writer-process.ts');
  return spawn(process.execPath, [writer, join(directory, 'outbox'), url, task], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** One life of the writer, and what it said before it died at a random moment. */
async function writeAndDie(
  directory: string,
  url: string,
  acknowledged: Set<string>,
): Promise<{ repairedBytes: number }> {
  const file = join(directory, 'acknowledged');
  writeFileSync(file, '');
  const child = startWriter(directory, url, file);
  let said = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (said.includes('\n')) resolve();
    });
  });
  const closed = once(child, 'close');
  await Promise.race([ready, closed, sleep(READY_WITHIN, undefined, { ref: false })]);
  assert.ok(said.startsWith('ready '), 'the writer started');
  await sleep(Math.random() * 120);
  assert.ok(child.kill('SIGKILL'), 'it lived until it was killed');
  await closed;
  // The last line may have been cut by the kill.
  for (const id of readFileSync(file, 'utf8').split('\n').slice(0, -1)) acknowledged.add(id);
  return { repairedBytes: Number(said.slice('ready '.length)) };
}

async function drain(directory: string, url: string): Promise<void> {
  const child = startWriter(directory, url, 'drain');
  child.stdout?.resume();
  const [code] = await once(child, 'close');
  assert.equal(code, 0, 'the last writer shipped everything');
}

async function judge(
  directory: string,
  acknowledged: ReadonlySet<string>,
  received: Received,
  torn: number,
): Promise<FaultReport> {
  const kept = new Map<string, number>();
  let damaged = 0;
  let gaps = 0;
  let last = 0;
  for await (const { document } of readOutbox(join(directory, 'outbox'), { onDamage: () => damaged++ })) {
    const { id, sequence } = document.event;
    kept.set(id, (kept.get(id) ?? 0) + 1);
    if (sequence !== last + 1) gaps += 1;
    last = sequence;
  }
  const lost = [...acknowledged].filter((id) => !kept.has(id)).length;
  const undelivered = [...kept.keys()].filter((id) => !received.lines.has(id)).length;
  const duplicatesUnmarked =
    [...kept.values()].filter((times) => times > 1).length +
    [...received.lines.values()].filter((lines) => lines.size > 1).length;
  const { logs, found } = await auditState(directory);
  const figures = {
    kills: KILLS,
    events: kept.size,
    acknowledged: acknowledged.size,
    lost,
    undelivered,
    duplicates_marked: received.repeats,
    duplicates_unmarked: duplicatesUnmarked,
    sequence_gaps: gaps,
    damaged,
    torn_tails: torn,
    logged: logs.reduce((sum, { size }) => sum + size, 0),
    audit_findings: found,
  };
  const wrong = lost + undelivered + duplicatesUnmarked + gaps + damaged + found;
  return { table: tableOf(figures), figures, held: wrong === 0 && kept.size > 0 };
}
