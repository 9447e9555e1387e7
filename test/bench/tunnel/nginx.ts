// nginx as the app, and as the TLS reverse proxy that the tunnel is compared with; wrk as the people.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '#test/requires';
import type { Cleanup } from '#test/story/tunnel/processes';

const SECONDS = 4;
const TICKS_PER_SECOND = 100;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** CPU seconds of a process, and of its children for nginx. */
function cpuOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

export interface Nginx {
  readonly app: number;
  readonly proxy: number;
  /** Workers of the proxy's own process. */
  readonly proxyPids: number[];
}

/** Both nginx processes, with their files in `directory`. */
export async function startNginx(
  cleanup: Cleanup,
  directory: string,
  certificate: { cert: string; key: string },
): Promise<Nginx> {
  const app = await freePort();
  const proxy = await freePort();
  writeFileSync(join(directory, '64k'), Buffer.alloc(64 * 1024, 'x'));
  writeFileSync(join(directory, '10m'), Buffer.alloc(10 * 1024 * 1024, 'x'));
  writeFileSync(join(directory, 'cert.pem'), certificate.cert);
  writeFileSync(join(directory, 'key.pem'), certificate.key);
  const common = (name: string): string => `daemon off; worker_processes 1; pid ${directory}/${name}.pid;
error_log ${directory}/${name}.log;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
keepalive_requests 1000000; sendfile on;`;
  writeFileSync(
    join(directory, 'app.conf'),
    `${common('app')} server { listen 127.0.0.1:${app}; root ${directory};
location = / { default_type text/plain; return 200 'hello world\\n'; } } }`,
  );
  writeFileSync(
    join(directory, 'proxy.conf'),
    `${common('proxy')} upstream app { server 127.0.0.1:${app}; keepalive 128; keepalive_requests 1000000; }
server { listen 127.0.0.1:${proxy} ssl; ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;
location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; } } }`,
  );
  const nginx = findProgram('nginx');
  if (nginx === undefined) throw new Error('nginx is not installed: npm run test:deps');
  const pids: number[] = [];
  for (const name of ['app', 'proxy']) {
    const child = spawn(nginx, ['-c', join(directory, `${name}.conf`), '-p', directory], {
      stdio: 'inherit',
    });
    cleanup.after(() => child.kill('SIGTERM'));
    pids.push(child.pid as number);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  return { app, proxy, proxyPids: childrenOf(pids[1] as number) };
}

export interface Load {
  readonly rps: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
  /** Microseconds of CPU for each request, by process. */
  readonly cpu: Record<string, number>;
}

const milliseconds = (text: string): number =>
  Number.parseFloat(text) * (text.endsWith('us') ? 0.001 : text.endsWith('ms') ? 1 : 1000);

/** Load for a few seconds after a warm-up. `pids` by the name their CPU is told under. */
export async function load(url: string, connections: number, pids: Record<string, number[]>): Promise<Load> {
  const args = ['-t1', `-c${connections}`, '--latency', url];
  await promisify(execFile)('wrk', ['-d1s', ...args]);
  const before = Object.entries(pids).map(([name, list]) => [name, cpuOf(list)] as const);
  const { stdout } = await promisify(execFile)('wrk', [`-d${SECONDS}s`, ...args]);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  const errors = [...stdout.matchAll(/(?:connect|read|write|timeout) (\d+)|Non-2xx[^:]*: (\d+)/g)];
  return {
    rps: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]),
    p50: milliseconds(/\n\s+50%\s+(\S+)/.exec(stdout)?.[1] ?? ''),
    p99: milliseconds(/\n\s+99%\s+(\S+)/.exec(stdout)?.[1] ?? ''),
    errors: errors.reduce((sum, [, a, b]) => sum + Number(a ?? b), 0),
    cpu: Object.fromEntries(
      before.map(([name, seconds]) => [name, ((cpuOf(pids[name] as number[]) - seconds) * 1e6) / requests]),
    ),
  };
}
