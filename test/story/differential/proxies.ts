// nginx and haproxy as proxies with readings of their own, as lenient as they can be told to be, each with a log that
// says which requests it saw.
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { findProgram } from '../../requires.ts';
import { contentOf, Part, until } from '../part.ts';
import { freePorts } from '../ports.ts';

export interface ProxyLine {
  readonly method: string;
  readonly target: string;
  /** Of the request as it came. */
  readonly requestId: string;
  /** Whether it went on to the next. */
  readonly forwarded: boolean;
}

export interface OtherProxy {
  readonly port: number;
  log(): ProxyLine[];
  stop(): Promise<unknown>;
}

/** Where a proxy sends everything on to; over TLS if there is a name to call. */
export interface Next {
  readonly port: number;
  readonly serverName?: string;
}

export const PROXIES: Readonly<
  Record<'nginx' | 'haproxy', (directory: string, next: Next) => Promise<OtherProxy>>
> = {
  nginx: startNginxProxy,
  haproxy: startHaproxy,
};

async function startNginxProxy(directory: string, next: Next): Promise<OtherProxy> {
  const [port = 0] = await freePorts(1);
  mkdirSync(directory, { recursive: true });
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  const secure =
    next.serverName === undefined ? '' : `proxy_ssl_server_name on; proxy_ssl_name ${next.serverName};`;
  const file = join(directory, 'nginx.conf');
  writeFileSync(
    file,
    `${user}daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log crit;
events { worker_connections 512; }
http {
  log_format proof escape=json '$request_method\\t$request_uri\\t$http_x_request_id\\t$upstream_addr';
  access_log ${directory}/access.log proof;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory}/${name};`).join(' ')}
  underscores_in_headers on;
  ignore_invalid_headers off;
  merge_slashes off;
  large_client_header_buffers 4 32k;
  upstream next { server 127.0.0.1:${next.port}; keepalive 8; }
  map $http_upgrade $hop { default Upgrade; "" ""; }
  server {
    listen 127.0.0.1:${port} default_server;
    location / {
      proxy_pass ${next.serverName === undefined ? 'http' : 'https'}://next;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $hop;
      proxy_set_header Upgrade $http_upgrade;
      ${secure}
    }
  }
}
`,
  );
  const args = ['-p', directory, '-c', file, '-e', join(directory, 'error.log')];
  const options = { cwd: directory, log: join(directory, 'output') };
  const part = new Part('nginx', findProgram('nginx') ?? 'nginx', args, options);
  await listening(part, port);
  const lines = (): ProxyLine[] =>
    contentOf(join(directory, 'access.log'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [method = '', target = '', requestId = '', upstream = ''] = line.split('\t');
        return { method, target, requestId, forwarded: upstream !== '' && upstream !== '-' };
      });
  return { port, log: lines, stop: () => part.stop() };
}

async function startHaproxy(directory: string, next: Next): Promise<OtherProxy> {
  const [port = 0] = await freePorts(1);
  mkdirSync(directory, { recursive: true });
  const secure = next.serverName === undefined ? '' : `ssl verify none sni str(${next.serverName})`;
  const file = join(directory, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  log stdout format raw local0
  maxconn 500
  tune.bufsize 65536
defaults
  mode http
  log global
  timeout client 10s
  timeout server 10s
  timeout connect 5s
  option http-keep-alive
  option dontlognull
  option http-ignore-probes
  option accept-invalid-http-request
  option accept-invalid-http-response
frontend in
  bind 127.0.0.1:${port}
  declare capture request len 64
  http-request capture req.hdr(x-request-id) id 0
  log-format "LOG\\t%HM\\t%HU\\t%[capture.req.hdr(0)]\\t%bi\\t%ST\\t%Tw"
  default_backend next
backend next
  http-reuse always
  server next 127.0.0.1:${next.port} ${secure}
`,
  );
  const options = { cwd: directory, log: join(directory, 'output') };
  const part = new Part('haproxy', findProgram('haproxy') ?? 'haproxy', ['-db', '-f', file], options);
  await listening(part, port);
  const lines = (): ProxyLine[] =>
    part.output
      .split('\n')
      .filter((line) => line.includes('LOG\t'))
      .map((line) => {
        const [, method = '', target = '', requestId = '', , , waited = ''] = line
          .slice(line.indexOf('LOG\t'))
          .split('\t');
        // It never waited for a server: the request went nowhere.
        return { method, target, requestId: requestId === '-' ? '' : requestId, forwarded: waited !== '-1' };
      });
  return { port, log: lines, stop: () => part.stop() };
}

async function listening(part: Part, port: number): Promise<void> {
  await until(`${part.name} listens`, async () => {
    if (!part.running) throw new Error(`${part.name} ended:\n${part.output}`);
    return new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });
}
