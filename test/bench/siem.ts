// What recording costs on the request's path, how many events a second are kept and shipped, and how that compares
// with rsyslog and with pino writing to a file on the same machine.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { destination, pino } from 'pino';
import { encodeLine } from '#siem/ecs/document';
import { Mapper } from '#siem/ecs/mapper';
import type { AccessDecided } from '#siem/event';
import { leafHash } from '#siem/ledger/hash';
import { readVerifier } from '#siem/ledger/key';
import { Ledger } from '#siem/ledger/ledger';
import { TransparencyLog } from '#siem/ledger/log';
import { inclusionProof } from '#siem/ledger/proof';
import { TileReader } from '#siem/ledger/tile-reader';
import { checkProof, packProof, parseProof, unpackProof } from '#siem/ledger/tlog-proof';
import { createLog } from '#siem/log';
import { Outbox } from '#siem/outbox/outbox';
import { Recorder } from '#siem/recorder';
import { Shipper } from '#siem/ship/shipper';
import { FilesSink } from '#siem/sinks/files';
import { findProgram } from '../requires.ts';
import { examples } from '../siem/ecs/examples.ts';
import { type BenchOptions, type BenchReport, median, rounded, tableOf } from './report.ts';
import { type Measured, measure } from './siem/measure.ts';
import { rsyslog } from './siem/rsyslog.ts';

const ROUNDS = 3;
const EVENTS = 60_000;
/** Appended at once, as the requests of one turn of the event loop are. */
const AT_ONCE = 16;

const gateway = { id: 'gw1', name: 'gw1', version: '0.1.0', hostname: 'gw1.example' };
const { explanation: _, ...base } = examples['access-decided'];
const event: AccessDecided = {
  ...base,
  decision: { verdict: 'allow', reason: 'allowed', rule: { id: 'sre' } },
};
const line = encodeLine(
  new Mapper(gateway).document(event, '019cb830-5000-7a00-8000-000000000001', Date.now()),
);

const quiet = createLog({ service: { name: 'bench', version: '0', node: 'bench' }, level: 'fatal' });

/** The next decision, made anew as a request's is. */
function nextEvent(index: number): AccessDecided {
  const { input, request } = event;
  return {
    ...event,
    input: { ...input, at: input.at + index, target: { ...input.target } },
    request: request === undefined ? undefined : { ...request, query: `from=${index}` },
  };
}

/** Records `events`, then waits until all of them are on the platter; with `logs`, until they are signed too. */
async function keep(directory: string, events: number, logs?: string): Promise<Measured> {
  const outbox = new Outbox({ directory, now: Date.now });
  const origin = 'access.example.com/gw1';
  const ledger =
    logs === undefined ? undefined : await Ledger.open({ directory: logs, outbox, origin, log: quiet });
  const recorder = new Recorder({ outbox, gateway, now: Date.now, ...(ledger && { ledger }) });
  ledger?.start((checkpoint) => recorder.record(checkpoint));
  const measured = await measure(events, async () => {
    for (let done = 0; done < events; done += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_each, one) => recorder.record(nextEvent(done + one))),
      );
      // Requests come in turns of the event loop, and timers and syncs get theirs.
      await turn();
    }
    await recorder.record(event, { durable: true });
    await ledger?.close();
  });
  await outbox.close();
  return measured;
}

/** One event a turn, as on an idle gateway: nothing is shared. */
async function keepOneByOne(directory: string): Promise<Measured> {
  const events = 20_000;
  const outbox = new Outbox({ directory, now: Date.now });
  const recorder = new Recorder({ outbox, gateway, now: Date.now });
  const idle = await measure(events, async () => {
    for (let done = 0; done < events; done++) await turn();
  });
  const busy = await measure(events, async () => {
    for (let done = 0; done < events; done++) {
      await recorder.record(nextEvent(done));
      await turn();
    }
  });
  await outbox.close();
  return { perSecond: busy.perSecond, cpuUs: busy.cpuUs - idle.cpuUs };
}

/** From the outbox to a synced file, the cheapest receiver there is: what shipping itself costs. */
async function ship(directory: string, events: number, root: string): Promise<Measured> {
  const outbox = new Outbox({ directory, now: Date.now });
  const sink = new FilesSink({
    name: 'bench',
    path: join(root, 'shipped.jsonl'),
    rotateBytes: 2 ** 40,
    keep: 1,
  });
  const shipper = new Shipper({ outbox, sink, log: quiet, now: Date.now, random: Math.random, lingerMs: 0 });
  const measured = await measure(events, async () => {
    shipper.start();
    while (shipper.cursor.delivered < events) await sleep(1);
  });
  await shipper.stop();
  await outbox.close();
  return measured;
}

/** pino writing the same documents to a file, synchronously, with no sync to the platter and no acknowledgement. */
async function plainPino(path: string): Promise<Measured> {
  const to = destination({ dest: path, sync: true });
  const log = pino({ base: null, timestamp: false }, to);
  const mapper = new Mapper(gateway);
  return measure(EVENTS, async () => {
    for (let done = 0; done < EVENTS; done += AT_ONCE) {
      for (let one = 0; one < AT_ONCE; one++)
        log.info(mapper.document(event, String(done + one), Date.now()));
      await turn();
    }
    to.end();
    await once(to, 'close');
  });
}

const PROVEN = 1_000_000;

interface LedgerMeasured {
  readonly appendUs: number;
  readonly proofBytes: number;
  readonly verifyMs: number;
}

/** A log of a million records on disk, sealed every 8,192; then 1,000 proofs from it, each checked as a stranger would. */
async function ledger(directory: string): Promise<LedgerMeasured> {
  const log = await TransparencyLog.open(directory, 'access.example.com/gw1/decisions', false);
  const record = (index: number): Buffer => Buffer.from(line.replace('"sequence":0', `"sequence":${index}`));
  const appended = await measure(PROVEN, async () => {
    for (let index = 0; index < PROVEN; index++) {
      const bytes = record(index);
      log.append(leafHash(bytes), bytes);
      if (index % 8_192 === 8_191) await log.seal();
    }
  });
  const { size, note } = await log.seal();
  const reader = new TileReader(directory, size);
  const verifier = readVerifier(directory);
  let proofBytes = 0;
  const times: number[] = [];
  for (let one = 0; one < 1_000; one++) {
    const index = (one * 999_983) % size;
    const proof = packProof({ index, hashes: inclusionProof(index, size, reader.node), checkpoint: note });
    proofBytes = Math.max(proofBytes, proof.length);
    const bytes = record(index);
    const start = performance.now();
    checkProof(parseProof(unpackProof(proof)), bytes, verifier);
    times.push(performance.now() - start);
  }
  return { appendUs: appended.cpuUs, proofBytes, verifyMs: median(times) };
}

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  const root = mkdtempSync(join(tmpdir(), 'sallyport-bench-siem-'));
  const kept: Measured[] = [];
  const all: Measured[] = [];
  const single: Measured[] = [];
  const shipped: Measured[] = [];
  const logged: Measured[] = [];
  const other: number[] = [];
  const program = findProgram('rsyslogd');
  let proven: LedgerMeasured;
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      progress(`round ${round} of ${ROUNDS}`);
      const directory = join(root, 'outbox');
      kept.push(await keep(directory, EVENTS));
      shipped.push(await ship(directory, EVENTS + 1, root));
      all.push(await keep(join(root, 'followed'), EVENTS, join(root, 'logs')));
      single.push(await keepOneByOne(join(root, 'single')));
      logged.push(await plainPino(join(root, 'pino.jsonl')));
      if (program !== undefined) other.push(await rsyslog(program, root, line, EVENTS));
      for (const name of [
        'outbox',
        'followed',
        'logs',
        'single',
        'shipped.jsonl',
        'pino.jsonl',
        'rsyslog.out',
      ]) {
        rmSync(join(root, name), { recursive: true, force: true });
      }
    }
    progress('a log of a million records');
    proven = await ledger(join(root, 'ledger'));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return reportOf({ kept, all, single, shipped, logged, other, proven });
}

function reportOf(measured: {
  readonly kept: readonly Measured[];
  readonly all: readonly Measured[];
  readonly single: readonly Measured[];
  readonly shipped: readonly Measured[];
  readonly logged: readonly Measured[];
  readonly other: readonly number[];
  readonly proven: LedgerMeasured;
}): BenchReport {
  const rate = (runs: readonly Measured[]): number => median(runs.map(({ perSecond }) => perSecond));
  const cpu = (runs: readonly Measured[]): number => median(runs.map(({ cpuUs }) => cpuUs));
  const durable = rate(measured.kept);
  const figures = {
    event_bytes: Buffer.byteLength(line),
    durable_events_per_s: rounded(durable),
    request_path_cpu_us_per_event: rounded(cpu(measured.all)),
    record_cpu_us_per_event: rounded(cpu(measured.kept)),
    record_cpu_us_per_event_alone: rounded(cpu(measured.single)),
    shipped_events_per_s: rounded(rate(measured.shipped)),
    pino_events_per_s: rounded(rate(measured.logged)),
    ratio_pino: rounded(durable / rate(measured.logged)),
    ...(measured.other.length === 0 ? {} : { ratio_rsyslog: rounded(durable / median(measured.other)) }),
    ledger_cpu_us_per_event: rounded(measured.proven.appendUs),
    proof_bytes_1m: measured.proven.proofBytes,
    verify_ms_1m: rounded(measured.proven.verifyMs),
  };
  const row = (name: string, perSecond: number, cpuUs?: number): string[] => [
    name,
    `${rounded(perSecond)}`,
    cpuUs === undefined ? '' : `${rounded(cpuUs)}`,
  ];
  const table = tableOf([
    ['', 'events/s', 'CPU us/event'],
    row('outbox, 16 at once, synced in groups', durable, cpu(measured.kept)),
    row('outbox and signed logs, 16 at once', rate(measured.all), cpu(measured.all)),
    row('outbox, one a turn', rate(measured.single), cpu(measured.single)),
    row('outbox to a synced file', rate(measured.shipped), cpu(measured.shipped)),
    row('into the log, signed every 8,192', 1e6 / measured.proven.appendUs, measured.proven.appendUs),
    row('pino to a file, not synced', rate(measured.logged), cpu(measured.logged)),
    ...(measured.other.length === 0
      ? []
      : [row('rsyslog by TCP to a file, not synced', median(measured.other))]),
  ]);
  const { proofBytes, verifyMs } = measured.proven;
  const proof = `a proof among 1,000,000 records: ${proofBytes} bytes, checked in ${rounded(verifyMs)} ms`;
  return { versions: {}, figures, table: `${table}\n\n${proof}` };
}
