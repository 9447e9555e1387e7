// The whole path of a request (TLS, session, a policy of a thousand rules, the record in the outbox, assertion, tunnel,
// connector, app) beside nginx and a plain Node proxy, on one machine, in turns. Only ratios within one run mean much.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { findProgram } from '../requires.ts';
import { type BenchOptions, type BenchReport, median, rounded, tableOf } from './report.ts';
import { RULES } from './spine/documents.ts';
import { type SpineInstallation, startSpine, type Target } from './spine/installation.ts';
import { type Measured, measure } from './spine/measure.ts';
import { BULK_BYTES } from './spine/nginx.ts';
import { within } from './spine/product.ts';
import { cpu, inTurns, mid, ratio, rps } from './spine/turns.ts';

const CONNECTIONS = 64;
const ROUNDS = 4;
const SECONDS = 3;
const BULK_CONNECTIONS = 4;
const BULK_ROUNDS = 2;
const BULK_SECONDS = 2;
const HALF_ROUNDS = 3;
const HALF_SECONDS = 2;

const bytesPerSecond = ({ requests, seconds }: Measured): number => (requests * BULK_BYTES) / seconds;

export async function run({ progress, profile }: BenchOptions): Promise<BenchReport> {
  for (const program of ['nginx', 'wrk']) {
    if (findProgram(program) === undefined)
      throw new Error(`${program} is needed: npm run test:deps installs it`);
  }
  progress('starting: app, nginx, undici proxy, gateway, connector; signing in');
  return within(async (directory, undo) => measureAll(await startSpine(directory, undo, profile), progress));
}

async function measureAll(
  installation: SpineInstallation,
  progress: BenchOptions['progress'],
): Promise<BenchReport> {
  const { sallyport, nginx, undici } = installation;
  const targets: Readonly<Record<'sallyport' | 'nginx' | 'undici', Target>> = { sallyport, nginx, undici };
  const small = (name: keyof typeof targets, seconds: number, thinkMs = 0): Promise<Measured> =>
    measure(installation, targets[name], '/', { connections: CONNECTIONS, seconds, thinkMs });

  progress('warming up');
  // Node compiles what runs often: until it has, it would be measured doing that.
  await small('sallyport', 6);
  await small('undici', 3);
  progress(`at saturation: ${ROUNDS} rounds of ${SECONDS} s each`);
  const before = sallyport.records();
  const full = await inTurns(['sallyport', 'nginx', 'undici'], ROUNDS, (name) => small(name, SECONDS));
  const recorded = sallyport.records() - before;
  const asked = full.sallyport.reduce((sum, { requests }) => sum + requests, 0);
  if (recorded < asked) throw new Error(`${asked} requests were answered, ${recorded} decisions recorded`);

  const halfRps = mid(full.sallyport, rps) / 2;
  const thinkMs = Math.max(1, Math.round((CONNECTIONS / halfRps) * 1000));
  progress(`at about ${Math.round(halfRps)} requests/s: ${HALF_ROUNDS} rounds of ${HALF_SECONDS} s each`);
  const half = await inTurns(['sallyport', 'nginx'], HALF_ROUNDS, (name) =>
    small(name, HALF_SECONDS, thinkMs),
  );

  const bulk = (path: string, bodyBytes?: number) => (name: 'sallyport' | 'nginx') =>
    measure(installation, targets[name], path, {
      connections: BULK_CONNECTIONS,
      seconds: BULK_SECONDS,
      ...(bodyBytes === undefined ? {} : { bodyBytes }),
    });
  progress(`10 MiB bodies: ${BULK_ROUNDS} rounds of ${BULK_SECONDS} s each way`);
  const down = await inTurns(['sallyport', 'nginx'], BULK_ROUNDS, bulk('/bulk.bin'));
  const up = await inTurns(['sallyport', 'nginx'], BULK_ROUNDS, bulk('/sink', BULK_BYTES));

  const figures = {
    ratio_nginx_tls_rps: ratio(full.sallyport, full.nginx, rps),
    ratio_undici_proxy_rps: ratio(full.sallyport, full.undici, rps),
    sallyport_rps: mid(full.sallyport, rps),
    nginx_tls_rps: mid(full.nginx, rps),
    undici_proxy_rps: mid(full.undici, rps),
    gateway_cpu_us_per_request: mid(full.sallyport, cpu('gateway')),
    connector_cpu_us_per_request: mid(full.sallyport, cpu('connector')),
    nginx_cpu_us_per_request: mid(full.nginx, cpu('proxy')),
    undici_proxy_cpu_us_per_request: mid(full.undici, cpu('proxy')),
    ratio_nginx_tls_gateway_cpu: ratio(full.sallyport, full.nginx, cpu('gateway'), cpu('proxy')),
    saturated_p50_ms: mid(full.sallyport, ({ p50Ms }) => p50Ms),
    saturated_p99_ms: mid(full.sallyport, ({ p99Ms }) => p99Ms),
    half_load_rps: mid(half.sallyport, rps),
    p50_ms: mid(half.sallyport, ({ p50Ms }) => p50Ms),
    p99_ms: mid(half.sallyport, ({ p99Ms }) => p99Ms),
    nginx_p50_ms: mid(half.nginx, ({ p50Ms }) => p50Ms),
    nginx_p99_ms: mid(half.nginx, ({ p99Ms }) => p99Ms),
    added_p99_ms: median(
      half.sallyport.map(({ p99Ms }, round) => p99Ms - (half.nginx[round] as Measured).p99Ms),
    ),
    ratio_nginx_tls_10mb_down: ratio(down.sallyport, down.nginx, bytesPerSecond),
    ratio_nginx_tls_10mb_up: ratio(up.sallyport, up.nginx, bytesPerSecond),
    down_mb_per_s: mid(down.sallyport, bytesPerSecond) / 1e6,
    nginx_down_mb_per_s: mid(down.nginx, bytesPerSecond) / 1e6,
    up_mb_per_s: mid(up.sallyport, bytesPerSecond) / 1e6,
    nginx_up_mb_per_s: mid(up.nginx, bytesPerSecond) / 1e6,
    policy_rules: RULES,
  };
  const round = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]));
  return { versions: versions(), figures: round, table: table(round) };
}

function table(of: Readonly<Record<string, number>>): string {
  const cell = (name: string): string => (of[name] === undefined ? '' : String(of[name]));
  const row = (what: string, ...names: string[]): string[] => [what, ...names.map(cell)];
  return tableOf([
    ['', 'sallyport', 'nginx', 'undici', 'of nginx', 'of undici'],
    row(
      'requests/s at saturation',
      'sallyport_rps',
      'nginx_tls_rps',
      'undici_proxy_rps',
      'ratio_nginx_tls_rps',
      'ratio_undici_proxy_rps',
    ),
    row(
      'proxy CPU, us a request',
      'gateway_cpu_us_per_request',
      'nginx_cpu_us_per_request',
      'undici_proxy_cpu_us_per_request',
      'ratio_nginx_tls_gateway_cpu',
      '',
    ),
    row('connector CPU, us a request', 'connector_cpu_us_per_request', '', '', '', ''),
    row('p50 at half load, ms', 'p50_ms', 'nginx_p50_ms', '', '', ''),
    row('p99 at half load, ms', 'p99_ms', 'nginx_p99_ms', '', '', ''),
    row('10 MiB down, MB/s', 'down_mb_per_s', 'nginx_down_mb_per_s', '', 'ratio_nginx_tls_10mb_down', ''),
    row('10 MiB up, MB/s', 'up_mb_per_s', 'nginx_up_mb_per_s', '', 'ratio_nginx_tls_10mb_up', ''),
  ]);
}

function versions(): Record<string, string> {
  const said = (program: string, args: string[]): string => {
    const { stdout, stderr } = spawnSync(findProgram(program) ?? program, args, { encoding: 'utf8' });
    return /\d+\.\d+\.\d+/.exec(stderr + stdout)?.[0] ?? 'unknown';
  };
  const { version: undici }: { version: string } = createRequire(import.meta.url)('undici/package.json');
  return {
    nginx: said('nginx', ['-v']),
    wrk: said('wrk', ['-v']),
    undici,
    openssl: process.versions.openssl,
  };
}
