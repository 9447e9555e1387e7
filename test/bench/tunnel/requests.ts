// The whole product (TLS, session, a policy of a thousand rules, record, assertion, tunnel) under load, beside nginx,
// haproxy, a plain Node proxy, our own tunnel without policy and record, the least there can be, and OpenSSH, in turns.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../requires.ts';
import {
  type Installed,
  install,
  type SpineInstallation,
  startSpine,
  type Target,
} from '../spine/installation.ts';
import { type Measured, measure } from '../spine/measure.ts';
import { BULK_BYTES } from '../spine/nginx.ts';
import { type Undo, within } from '../spine/product.ts';
import { cpu, inTurns, mid, ratio, rps } from '../spine/turns.ts';
import { startBare, startForwarding, startHaproxy, startLeast } from './rivals.ts';

const CONNECTIONS = 64;
const ROUNDS = 4;
const SECONDS = 3;
const WARMING_SECONDS = 8;
const WORKERS = 2;
const MIDDLING_CONNECTIONS = 32;
const MIDDLING_ROUNDS = 3;
const BULK_CONNECTIONS = 4;
const BULK_ROUNDS = 3;
const BULK_SECONDS = 2;
/** Of new connections at once. */
const DIALLERS = 4;

type Progress = (line: string) => void;
type Figures = Record<string, number>;
type Name = 'sallyport' | 'workers' | 'nginx' | 'undici' | 'bare' | 'least' | 'haproxy' | 'local' | 'remote';

interface Bed {
  readonly installation: SpineInstallation;
  /** Two workers on Redis, which is how the product uses both cores. */
  readonly workers: Installed | undefined;
  readonly targets: Readonly<Record<Name, Target | undefined>>;
  /** Of `names`, those whose program is on this machine. */
  present<One extends Name>(...names: One[]): One[];
  load(path: string, load: Parameters<typeof measure>[3]): (name: Name) => Promise<Measured>;
}

/** All of the figures below, on one installation. */
export async function requests(progress: Progress, profile: string | undefined): Promise<Figures> {
  return within(async (directory, undo) => {
    progress('starting: app, proxies, gateway, connector; signing in');
    const bed = await start(directory, undo, profile);
    progress('warming up');
    // Node compiles what runs often: until it has, it would be measured doing that.
    for (const name of bed.present('sallyport', 'workers', 'bare', 'least', 'undici'))
      await bed.load('/', { connections: CONNECTIONS, seconds: WARMING_SECONDS })(name);
    return {
      ...(await small(bed, progress)),
      ...(await middling(bed, progress)),
      ...(await bulk(bed, progress)),
      ...(await connecting(bed, progress)),
    };
  });
}

async function start(directory: string, undo: Undo, profile: string | undefined): Promise<Bed> {
  const installation = await startSpine(directory, undo, profile);
  const { appPort, certificate, certificates, sallyport, nginx, undici } = installation;
  const bare = await startBare(undo, appPort);
  const least = await startLeast(directory, undo, appPort, certificates);
  const has = (...programs: string[]): boolean => programs.every((one) => findProgram(one) !== undefined);
  const haproxy = has('haproxy') ? await startHaproxy(directory, undo, appPort, certificate) : undefined;
  const ssh = has('sshd', 'ssh', 'ssh-keygen') ? await startForwarding(directory, undo, appPort) : undefined;
  const beside = join(directory, 'workers');
  mkdirSync(beside);
  const workers = has('redis-server')
    ? await install(beside, undo, { app: appPort, workers: WORKERS })
    : undefined;
  const targets = {
    sallyport,
    workers,
    nginx,
    undici,
    bare,
    least,
    haproxy,
    local: ssh?.local,
    remote: ssh?.remote,
  };
  return {
    installation,
    workers,
    targets,
    present: (...names) => names.filter((name) => targets[name] !== undefined),
    load: (path, load) => (name) => measure(installation, targets[name] as Target, path, load),
  };
}

/** `return 200` at saturation, then at half of that. */
async function small(bed: Bed, progress: Progress): Promise<Figures> {
  const { installation, workers, load, present } = bed;
  progress(`at saturation: ${ROUNDS} rounds of ${SECONDS} s each`);
  const recordsOf = (): number => installation.sallyport.records() + (workers?.records() ?? 0);
  const before = recordsOf();
  const names = present('sallyport', 'workers', 'nginx', 'bare', 'least', 'undici', 'haproxy');
  const full = await inTurns(names, ROUNDS, load('/', { connections: CONNECTIONS, seconds: SECONDS }));
  const recorded = recordsOf() - before;
  const asked = [...full.sallyport, ...(full.workers ?? [])].reduce((sum, one) => sum + one.requests, 0);
  if (recorded < asked) throw new Error(`${asked} requests were answered, ${recorded} decisions recorded`);

  const halfRps = mid(full.sallyport, rps) / 2;
  const thinkMs = Math.max(1, Math.round((CONNECTIONS / halfRps) * 1000));
  progress(`at about ${Math.round(halfRps)} requests/s`);
  const half = await inTurns(
    present('sallyport', 'workers', 'nginx'),
    ROUNDS,
    load('/', { connections: CONNECTIONS, seconds: SECONDS, thinkMs }),
  );
  const p99 = ({ p99Ms }: Measured): number => p99Ms;
  const added = (ours: readonly Measured[]): readonly Measured[] =>
    ours.map((one, round) => ({ ...one, p99Ms: one.p99Ms - (half.nginx[round] as Measured).p99Ms }));
  return {
    ratio_nginx_tls_rps: ratio(full.sallyport, full.nginx, rps),
    ratio_nginx_tls_gateway_cpu: ratio(full.sallyport, full.nginx, cpu('gateway'), cpu('proxy')),
    ratio_own_bare_rps: ratio(full.sallyport, full.bare, rps),
    ratio_own_bare_gateway_cpu: ratio(full.sallyport, full.bare, cpu('gateway')),
    ratio_least_tunnel_nginx_rps: ratio(full.least, full.nginx, rps),
    ratio_undici_proxy_rps: ratio(full.sallyport, full.undici, rps),
    ...(full.workers && {
      ratio_nginx_tls_rps_workers: ratio(full.workers, full.nginx, rps),
      workers_rps: mid(full.workers, rps),
      workers_gateway_cpu_us: mid(full.workers, cpu('gateway')),
      added_p99_ms_half_load_workers: mid(added(half.workers), p99),
    }),
    ...(full.haproxy && { ratio_haproxy_tls_rps: ratio(full.sallyport, full.haproxy, rps) }),
    ...spread(
      'ratio_nginx_tls_rps',
      full.sallyport.map((one, i) => rps(one) / rps(full.nginx[i] as Measured)),
    ),
    sallyport_rps: mid(full.sallyport, rps),
    nginx_tls_rps: mid(full.nginx, rps),
    own_bare_rps: mid(full.bare, rps),
    gateway_cpu_us: mid(full.sallyport, cpu('gateway')),
    connector_cpu_us: mid(full.sallyport, cpu('connector')),
    own_bare_gateway_cpu_us: mid(full.bare, cpu('gateway')),
    least_tunnel_gateway_cpu_us: mid(full.least, cpu('gateway')),
    least_tunnel_connector_cpu_us: mid(full.least, cpu('connector')),
    own_bare_connector_cpu_us: mid(full.bare, cpu('connector')),
    nginx_tls_cpu_us: mid(full.nginx, cpu('proxy')),
    added_p99_ms_half_load: mid(added(half.sallyport), p99),
    half_load_rps: mid(half.sallyport, rps),
    half_load_p50_ms: mid(half.sallyport, ({ p50Ms }) => p50Ms),
    half_load_p99_ms: mid(half.sallyport, p99),
    nginx_half_load_p99_ms: mid(half.nginx, p99),
  };
}

/** The least and the most of the rounds. */
function spread(name: string, values: readonly number[]): Figures {
  return { [`${name}_least`]: Math.min(...values), [`${name}_most`]: Math.max(...values) };
}

async function middling({ load }: Bed, progress: Progress): Promise<Figures> {
  progress(`64 KiB bodies: ${MIDDLING_ROUNDS} rounds`);
  const turns = await inTurns(
    ['sallyport', 'nginx'],
    MIDDLING_ROUNDS,
    load('/64k.bin', { connections: MIDDLING_CONNECTIONS, seconds: SECONDS }),
  );
  return {
    ratio_nginx_64kb_gateway_cpu: ratio(turns.sallyport, turns.nginx, cpu('gateway'), cpu('proxy')),
    ratio_nginx_64kb_rps: ratio(turns.sallyport, turns.nginx, rps),
    gateway_64kb_cpu_us: mid(turns.sallyport, cpu('gateway')),
    nginx_64kb_cpu_us: mid(turns.nginx, cpu('proxy')),
  };
}

const bytesPerSecond = ({ requests: count, seconds }: Measured): number => (count * BULK_BYTES) / seconds;

async function bulk({ load, present }: Bed, progress: Progress): Promise<Figures> {
  progress(`10 MiB bodies: ${BULK_ROUNDS} rounds each way`);
  const figures: Figures = {};
  const names = present('sallyport', 'nginx', 'bare', 'undici', 'local', 'remote');
  for (const [way, path, body] of [
    ['down', '/bulk.bin', {}],
    ['up', '/sink', { bodyBytes: BULK_BYTES }],
  ] as const) {
    const options = { connections: BULK_CONNECTIONS, seconds: BULK_SECONDS, ...body };
    const turns = await inTurns(names, BULK_ROUNDS, load(path, options));
    figures[`ratio_nginx_tls_10mb_${way}`] = ratio(turns.sallyport, turns.nginx, bytesPerSecond);
    figures[`ratio_own_bare_10mb_${way}`] = ratio(turns.sallyport, turns.bare, bytesPerSecond);
    figures[`ratio_undici_proxy_10mb_${way}`] = ratio(turns.sallyport, turns.undici, bytesPerSecond);
    if (turns.local !== undefined)
      figures[`ratio_ssh_local_10mb_${way}`] = ratio(turns.sallyport, turns.local, bytesPerSecond);
    if (turns.remote !== undefined)
      figures[`ratio_ssh_remote_10mb_${way}`] = ratio(turns.sallyport, turns.remote, bytesPerSecond);
    for (const name of names)
      figures[`${name}_10mb_${way}_mb_per_s`] = mid(turns[name], bytesPerSecond) / 1e6;
  }
  return figures;
}

/** A connection for each request: TCP, TLS, request, answer. */
async function connecting({ load }: Bed, progress: Progress): Promise<Figures> {
  progress('a new connection for each request');
  const turns = await inTurns(
    ['sallyport', 'nginx'],
    MIDDLING_ROUNDS,
    load('/', { connections: DIALLERS, seconds: SECONDS, fresh: true }),
  );
  const p50 = ({ p50Ms }: Measured): number => p50Ms;
  return {
    connect_p50_ms: mid(turns.sallyport, p50),
    nginx_connect_p50_ms: mid(turns.nginx, p50),
    ratio_nginx_tls_connects: ratio(turns.sallyport, turns.nginx, rps),
  };
}
