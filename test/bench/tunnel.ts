// The data plane in figures: the whole product beside its rivals, what it keeps in memory for those who are idle or
// slow, a long line, and revocation. `--only PART` runs one part.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { findProgram } from '../requires.ts';
import { type BenchOptions, type BenchReport, rounded, tableOf } from './report.ts';
import { idle } from './tunnel/idle.ts';
import { line } from './tunnel/line.ts';
import { requests } from './tunnel/requests.ts';
import { revoke } from './tunnel/revoke.ts';
import { slow } from './tunnel/slow.ts';

type Figures = Readonly<Record<string, number>>;

const PARTS: Readonly<Record<string, (options: BenchOptions) => Promise<Figures>>> = {
  requests: ({ progress, profile }) => requests(progress, profile),
  idle: ({ progress }) => idle(progress),
  line: ({ progress }) => line(progress),
  slow: ({ progress }) => slow(progress),
  revoke: ({ progress }) => revoke(progress),
};

/** What each of the main figures has to reach. */
const TARGETS: readonly (readonly [figure: string, bound: 'at least' | 'at most', value: number])[] = [
  ['ratio_nginx_tls_rps', 'at least', 0.4],
  ['ratio_nginx_tls_gateway_cpu', 'at most', 2],
  ['ratio_own_bare_rps', 'at least', 0.75],
  ['ratio_nginx_tls_10mb_down', 'at least', 0.6],
  ['ratio_nginx_tls_10mb_up', 'at least', 0.6],
  ['ratio_nginx_64kb_gateway_cpu', 'at most', 1.5],
  ['added_p99_ms_half_load', 'at most', 5],
  ['kb_per_idle_tunnel', 'at most', 100],
  ['kb_per_idle_stream', 'at most', 10],
  ['kb_per_idle_tls_user', 'at most', 60],
  ['hol_small_p50_ms', 'at most', 43],
  ['hol_small_p99_ms', 'at most', 57],
  ['slow_reader_gateway_kb', 'at most', 1024],
  ['slow_reader_connector_kb', 'at most', 1024],
  ['ratio_slow_reader_others_p99', 'at most', 1.2],
  ['revoke_p99_ms', 'at most', 2000],
];

export async function run(options: BenchOptions): Promise<BenchReport> {
  const { only } = options;
  const chosen = only === undefined ? Object.values(PARTS) : [PARTS[only]];
  const figures: Record<string, number> = {};
  for (const part of chosen) {
    if (part === undefined) throw new Error(`there is no part "${only}": ${Object.keys(PARTS).join(', ')}`);
    Object.assign(figures, await part(options));
  }
  const measured = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]));
  return { versions: versions(), figures: measured, table: table(measured) };
}

function table(measured: Figures): string {
  const targets = TARGETS.flatMap(([figure, bound, value]) => {
    const found = measured[figure];
    if (found === undefined) return [];
    const met = bound === 'at least' ? found >= value : found <= value;
    return [[figure, String(found), `${bound} ${value}`, met ? 'met' : 'missed']];
  });
  const named = new Set(TARGETS.map(([figure]) => figure));
  const rest = Object.entries(measured).filter(([figure]) => !named.has(figure));
  const others = rest.map(([figure, value]) => [figure, String(value), '', '']);
  return tableOf([['', 'measured', 'wanted', ''], ...targets, ...others]);
}

function versions(): Record<string, string> {
  const said = (program: string, args: string[]): string => {
    const { stdout, stderr } = spawnSync(findProgram(program) ?? program, args, { encoding: 'utf8' });
    return /\d+\.\d+(?:\.\d+|p\d+)?/.exec(`${stderr}${stdout}`)?.[0] ?? 'missing';
  };
  const { version: undici }: { version: string } = createRequire(import.meta.url)('undici/package.json');
  return {
    nginx: said('nginx', ['-v']),
    haproxy: said('haproxy', ['-v']),
    openssh: said('ssh', ['-V']),
    wrk: said('wrk', ['-v']),
    undici,
    openssl: process.versions.openssl,
  };
}
