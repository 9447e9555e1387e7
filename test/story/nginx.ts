// nginx from Debian as an app that knows nothing of gateways: static pages, a large file, and a log of its own that
// proves what reached it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../requires.ts';
import { contentOf, Part, until } from './part.ts';

/** One line of its log. */
export interface Logged {
  /** The request line as it came. */
  readonly request: string;
  readonly status: number;
  readonly host: string;
  readonly forwardedFor: string;
  readonly cookie: string;
  /** Everything a client could say who it is with, joined. */
  readonly claims: string;
}

export interface Nginx {
  readonly part: Part;
  /** The 10 MiB file served at `/large.bin`. */
  readonly large: Buffer;
  /** All requests that have reached it so far. */
  log(): Logged[];
}

const CLAIMS = ['x_forwarded_user', 'remote_user', 'x_user', 'x_real_ip', 'x_sallyport_user', 'x_groups'];

/** Milliseconds. */
const LOG_DELAY = 50;

function configuration(directory: string, port: number): string {
  // Only root's workers change their user, and another one could not read a directory of mode 0700.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  return `${user}daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log notice;
events { worker_connections 512; }
http {
  log_format proof escape=json '{"request":"$request","status":$status,"host":"$http_host","forwardedFor":"$http_x_forwarded_for","cookie":"$http_cookie","claims":"${CLAIMS.map((name) => `$http_${name}`).join('')}"}';
  access_log ${directory}/access.log proof;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  types { text/html html; application/octet-stream bin; }
  keepalive_timeout 20s;
  server {
    listen 127.0.0.1:${port};
    root ${directory}/html;
    location = /empty { return 204; }
    location /shelf/ { dav_methods PUT COPY MOVE; create_full_put_path on; }
    location = /ready { access_log off; return 204; }
  }
}
`;
}

const PAGE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wiki</title></head>
<body><main><h1>Wiki</h1><p>Served by nginx, which listens on loopback and has never heard of a gateway.</p></main></body></html>
`;

export async function startNginx(directory: string, port: number): Promise<Nginx> {
  mkdirSync(join(directory, 'html'), { recursive: true });
  const large = randomBytes(10 * 1024 * 1024);
  writeFileSync(join(directory, 'html/index.html'), PAGE);
  writeFileSync(join(directory, 'html/large.bin'), large);
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, configuration(directory, port));
  const log = join(directory, 'nginx.output');
  const args = ['-p', directory, '-c', file, '-e', join(directory, 'error.log')];
  const part = new Part('nginx', findProgram('nginx') ?? 'nginx', args, { cwd: directory, log });
  await until('nginx answers', async () => {
    if (!part.running)
      throw new Error(`nginx ended:\n${part.output}${contentOf(join(directory, 'error.log'))}`);
    return fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined);
  });
  return {
    part,
    large,
    log: () => {
      // It writes a line after the answer has gone out; whoever has that answer may be quicker.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOG_DELAY);
      return contentOf(join(directory, 'access.log'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Logged);
    },
  };
}
