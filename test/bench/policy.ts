// Decisions per second of our evaluator beside five policy engines on the same rules and requests, and what loading,
// replaying and allowing cost.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Policy } from '#policy/load';
import { loadPolicyOffThread } from '#policy/loader/off-thread';
import { readDecision } from '#policy/recorded';
import { replay } from '#policy/replay';
import { casbin } from './policy/casbin.ts';
import { cedar } from './policy/cedar.ts';
import { bufbuildCel, celJs } from './policy/cel.ts';
import type { Engine } from './policy/engines.ts';
import { opa } from './policy/opa.ts';
import { own, ownPolicy } from './policy/own.ts';
import { buildRequest, type RequestSeed, Workload } from './policy/workload.ts';
import { type BenchOptions, type BenchReport, median, rounded, tableOf } from './report.ts';

const SIZES = [10, 100, 1000, 10_000] as const;
const SEEDS = 20_000;
/** Decisions of every engine that are compared with ours. */
const COMPARED = 1000;
const SLICE_MS = 400;
const ROUNDS = 5;

const RIVALS: readonly ((workload: Workload) => Engine | Promise<Engine>)[] = [
  celJs,
  bufbuildCel,
  cedar,
  casbin,
  opa,
];

export async function run({ progress }: BenchOptions): Promise<BenchReport> {
  // First, while this process holds nothing else that a collector must walk through.
  const figures: Record<string, number> = await loading(progress);
  const versions: Record<string, string> = {};
  const rows: string[][] = [['decisions/s', ...SIZES.map((size) => `${size} rules`), 'slower at 1,000']];
  const speeds = new Map<string, number[]>();
  for (const size of SIZES) {
    const workload = new Workload(size);
    const seeds = workload.seeds(SEEDS);
    const policy = ownPolicy(workload);
    const ours = own(workload, policy);
    for (const make of [() => ours, ...RIVALS]) {
      const engine = await make(workload);
      progress(`${engine.name} with ${size} rules`);
      if (engine !== ours) compare(engine, ours, seeds, size);
      const speed = speedOf(engine, seeds);
      speeds.set(engine.name, [...(speeds.get(engine.name) ?? []), speed]);
      if (engine.version !== '') versions[engine.name] = engine.version;
      if (engine === ours) figures[`decisions_per_s_${size}`] = rounded(speed);
    }
    if (size === 1000) Object.assign(figures, await only1000(workload, policy, seeds, progress));
  }
  const at1000 = SIZES.indexOf(1000);
  const oursAt1000 = speeds.get('sallyport')?.[at1000] ?? Number.NaN;
  for (const [name, all] of speeds) {
    const ratio = oursAt1000 / (all[at1000] ?? Number.NaN);
    if (name !== 'sallyport') figures[`ratio_${name.replaceAll('-', '_')}_1000`] = rounded(ratio);
    rows.push([
      name,
      ...all.map((speed) => Math.round(speed).toLocaleString('en')),
      ratio === 1 ? '' : `${rounded(ratio)} x`,
    ]);
  }
  const others = Object.entries(figures).filter(([name]) => !/^(decisions|ratio)/.test(name));
  const table = `${tableOf(rows)}\n\n${tableOf(others.map(([name, value]) => [name, String(value)]))}`;
  return { versions, figures, table };
}

function compare(engine: Engine, ours: Engine, seeds: readonly RequestSeed[], size: number): void {
  for (const seed of seeds.slice(0, COMPARED)) {
    const [theirs, own] = [engine.decide(seed), ours.decide(seed)];
    if (theirs !== own)
      throw new Error(
        `${engine.name} says ${theirs} where we say ${own} with ${size} rules: ${JSON.stringify(seed)}`,
      );
  }
}

/** CPU time of this thread in milliseconds: what a shared machine does meanwhile does not count. */
function cpu(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Decisions per second of one core; the median of several slices, after one to warm up. */
function speedOf(engine: Engine, seeds: readonly RequestSeed[]): number {
  const slice = (): number => {
    const start = cpu();
    let decisions = 0;
    let elapsed = 0;
    while (elapsed < SLICE_MS) {
      for (let index = 0; index < 50; index += 1) {
        engine.decide(seeds[(decisions + index) % seeds.length] as RequestSeed);
      }
      decisions += 50;
      elapsed = cpu() - start;
    }
    return (decisions * 1000) / elapsed;
  };
  slice();
  return median(Array.from({ length: ROUNDS }, slice));
}

async function only1000(
  workload: Workload,
  policy: Policy,
  seeds: readonly RequestSeed[],
  progress: (line: string) => void,
): Promise<Record<string, number>> {
  progress('latency, allocation and replay with 1000 rules');
  return {
    p99_us_1000: rounded(p99(own(workload, policy), seeds)),
    alloc_bytes_per_allow: rounded(allocation(workload, policy, seeds)),
    denial_explained_us_1000: rounded(explaining(workload, policy, seeds)),
    ...(await replaying(workload, policy, seeds)),
  };
}

/** Microseconds of CPU in which a denial is explained, with its remedy: what somebody who is denied makes us do. */
function explaining(workload: Workload, policy: Policy, seeds: readonly RequestSeed[]): number {
  const denied = seeds
    .slice(0, 4000)
    .map((seed) => buildRequest(seed, workload.subjects[seed.user] ?? fail()))
    .filter((request) => policy.decide(request, policy.prepare(request.subject)).verdict === 'deny');
  const round = (): number => {
    const start = cpu();
    for (const request of denied) policy.explain(request);
    return ((cpu() - start) * 1000) / denied.length;
  };
  round();
  return median(Array.from({ length: ROUNDS }, round));
}

/** Microseconds within which 99 of 100 decisions are made, reading the clock included. */
function p99(engine: Engine, seeds: readonly RequestSeed[]): number {
  const count = 400_000;
  const times = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    const seed = seeds[index % seeds.length] as RequestSeed;
    const start = process.hrtime.bigint();
    engine.decide(seed);
    times[index] = Number(process.hrtime.bigint() - start) / 1000;
  }
  return times.sort()[Math.floor(count * 0.99)] ?? Number.NaN;
}

/** Bytes that deciding an allowed request leaves for the collector; the request itself exists before. */
function allocation(workload: Workload, policy: Policy, seeds: readonly RequestSeed[]): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const cases = seeds
    .map((seed) => buildRequest(seed, workload.subjects[seed.user] ?? fail()))
    .map((request) => ({ request, subject: policy.prepare(request.subject) }))
    .filter(({ request, subject }) => policy.decide(request, subject).verdict === 'allow');
  const round = (): number => {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (const { request, subject } of cases) policy.decide(request, subject);
    return (process.memoryUsage().heapUsed - before) / cases.length;
  };
  for (let warm = 0; warm < 30; warm += 1) round();
  return median(Array.from({ length: 9 }, round));
}

async function replaying(
  workload: Workload,
  policy: Policy,
  seeds: readonly RequestSeed[],
): Promise<Record<string, number>> {
  const lines = Array.from({ length: 100_000 }, (_, index) => {
    const seed = seeds[index % seeds.length] as RequestSeed;
    const input = buildRequest(seed, workload.subjects[seed.user] ?? fail());
    return JSON.stringify({
      event: { id: `e${index}` },
      sallyport: { decision: { verdict: 'allow', input } },
    });
  });
  const documents = lines.map((line) => JSON.parse(line) as unknown);
  const perSecond = async (source: Iterable<unknown>): Promise<number> => {
    const start = cpu();
    const report = await replay(recordsOf(source), policy);
    return (report.requests * 1000) / (cpu() - start);
  };
  const rounds = async (source: () => Iterable<unknown>): Promise<number> => {
    const speeds: number[] = [];
    for (let index = 0; index < ROUNDS; index += 1) speeds.push(await perSecond(source()));
    return rounded(median(speeds.slice(1)));
  };
  return {
    replay_per_s: await rounds(() => documents),
    replay_from_json_per_s: await rounds(() => parsed(lines)),
  };
}

function* parsed(lines: readonly string[]): Generator<unknown> {
  for (const line of lines) yield JSON.parse(line);
}

function* recordsOf(documents: Iterable<unknown>): Generator<ReturnType<typeof readDecision> & object> {
  for (const document of documents) {
    const record = readDecision(document);
    if (typeof record === 'object') yield record;
  }
}

/** A document of 10,000 rules off the thread: how long it takes, and how long it ever keeps this thread busy. */
async function loading(progress: (line: string) => void): Promise<Record<string, number>> {
  progress('loading 10,000 rules off the main thread');
  const text = new Workload(10_000).document();
  const rounds: { time: number; wall: number; busy: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const late = watchLateness();
    const start = performance.now();
    const loaded = await loadPolicyOffThread(text, 'workload.yaml');
    const time = performance.now() - start;
    if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
    rounds.push({ time, ...late() });
  }
  return {
    load_ms_10000: rounded(median(rounds.map(({ time }) => time))),
    load_block_ms_10000: rounded(median(rounds.map(({ wall }) => wall))),
    load_block_cpu_ms_10000: rounded(Math.max(...rounds.map(({ busy }) => busy))),
  };
}

/** The longest time a timer was late, and the most this thread worked between two of its ticks, in milliseconds. */
function watchLateness(): () => { wall: number; busy: number } {
  let [last, worked] = [performance.now(), cpu()];
  let [wall, busy] = [0, 0];
  const look = (): void => {
    const [now, work] = [performance.now(), cpu()];
    wall = Math.max(wall, now - last - 1);
    busy = Math.max(busy, work - worked);
    [last, worked] = [now, work];
  };
  const timer = setInterval(look, 1);
  return () => {
    clearInterval(timer);
    look();
    return { wall, busy };
  };
}

function fail(): never {
  throw new Error('the workload names a user it does not have');
}
