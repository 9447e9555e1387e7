// Two nginx from Debian: the app behind every target, and the reverse proxy with TLS that we are compared with.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '#test/requires';
import { Part, until } from '#test/story/part';

/** What is carried in bulk: bytes of one body. */
export const BULK_BYTES: number = 10 * 1024 * 1024;

function main(directory: string, workers: number, http: string): string {
  // Only root's workers change their user, and another one could not read a directory of mode 0700.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  return `${user}daemon off;
worker_processes ${workers};
pid ${directory}/nginx.pid;
error_log ${directory}/error.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  default_type text/plain;
  keepalive_timeout 60s;
  keepalive_requests 100000000;
  client_max_body_size 0;
${http}
}
`;
}

function start(name: string, directory: string, workers: number, http: string): Part {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, main(directory, workers, http));
  const args = ['-p', directory, '-c', file, '-e', join(directory, 'error.log')];
  return new Part(name, findProgram('nginx') ?? 'nginx', args, {
    cwd: directory,
    log: join(directory, 'output'),
  });
}

/** The app: a short answer, a large file, a sink that answers after the whole body, and a count of its requests. */
export async function startApp(directory: string, port: number): Promise<Part> {
  mkdirSync(join(directory, 'html'), { recursive: true });
  writeFileSync(join(directory, 'html/bulk.bin'), Buffer.alloc(BULK_BYTES, 'sallyport'));
  writeFileSync(join(directory, 'html/64k.bin'), Buffer.alloc(64 * 1024, 'sallyport'));
  const part = start(
    'app',
    directory,
    1,
    `  upstream answered { server 127.0.0.1:${port}; keepalive 16; }
  server {
    listen 127.0.0.1:${port};
    location = / { return 200 "answered\\n"; }
    location = /bulk.bin { root ${directory}/html; }
    location = /64k.bin { root ${directory}/html; }
    location = /sink {
      client_body_buffer_size 11m;
      proxy_http_version 1.1;
      proxy_method GET;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Connection "";
      proxy_pass http://answered/;
    }
    location = /count { stub_status; }
  }`,
  );
  await until('the app answers', () => requestsOf(port).catch(() => undefined));
  return part;
}

/** Requests the app has had, this one included. */
export async function requestsOf(port: number): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${port}/count`);
  const counts = /^ (\d+) (\d+) (\d+) $/m.exec(await reply.text());
  return Number(counts?.[3]);
}

/** A plain reverse proxy with TLS, as fast as nginx does it: no log, kept-alive upstreams, nothing spooled to disk. */
export function startReverseProxy(
  directory: string,
  ports: { readonly listen: number; readonly app: number },
  certificate: { readonly cert: string; readonly key: string },
): Part {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'cert.pem'), certificate.cert);
  writeFileSync(join(directory, 'key.pem'), certificate.key, { mode: 0o600 });
  return start(
    'nginx',
    directory,
    2,
    `  upstream app { server 127.0.0.1:${ports.app}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${ports.listen} ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }
  }`,
  );
}
