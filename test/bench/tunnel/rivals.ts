// What the tunnel is compared with, besides nginx and a plain Node proxy: our own tunnel without policy and record, the
// least tunnel there can be in Node, haproxy, and OpenSSH's forwarding either way.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findProgram } from '#test/requires';
import { Part, until } from '#test/story/part';
import { freePorts } from '#test/story/ports';
import { startConnector, startGateway } from '#test/story/tunnel/processes';
import { withChildren } from '../spine/cpu.ts';
import { HOST } from '../spine/documents.ts';
import { HEAP_FLAGS, type Target } from '../spine/installation.ts';
import { requestsOf } from '../spine/nginx.ts';
import type { Undo } from '../spine/product.ts';

/** Gateway and connector as they are, with nothing decided or recorded between them. */
export async function startBare(undo: Undo, app: number): Promise<Target> {
  const cleanup = { after: (step: () => void): void => void undo.push(step) };
  const gateway = await startGateway(cleanup, { scheme: 'https' });
  const up = gateway.lines.next('connected', 'one');
  const options = { name: 'one', gatewayPort: gateway.connectors, app: `http://127.0.0.1:${app}` };
  const connector = startConnector(cleanup, { ...options, token: await gateway.token('one') });
  await up;
  const pids = { gateway: [gateway.child.pid as number], connector: [connector.child.pid as number] };
  return { origin: `https://${HOST}:${gateway.people}`, pids: () => pids };
}

/** A tunnel in Node that does nothing but carry; `certificates` is a folder with cert.pem and key.pem. */
export async function startLeast(
  directory: string,
  undo: Undo,
  app: number,
  certificates: string,
): Promise<Target> {
  const [people = 0, connectors = 0] = await freePorts(2);
  const start = async (role: string, ...args: string[]): Promise<Part> => {
    const script = join(import.meta.dirname, 'least-process.ts');
    const log = join(directory, `least-${role}.log`);
    const argv = [...HEAP_FLAGS, script, role, ...args];
    const part = new Part(`least-${role}`, process.execPath, argv, { cwd: directory, log });
    undo.push(() => part.stop());
    await part.said(/^ready$/m);
    return part;
  };
  const gateway = await start('gateway', String(people), String(connectors), certificates);
  const connector = await start('connector', String(connectors), String(app));
  const pids = { gateway: [gateway.pid], connector: [connector.pid] };
  return { origin: `https://${HOST}:${people}`, pids: () => pids };
}

/** TLS in front, kept-alive connections behind, two threads: as nginx is set. */
export async function startHaproxy(
  directory: string,
  undo: Undo,
  app: number,
  certificate: { readonly cert: string; readonly key: string },
): Promise<Target> {
  const [port = 0] = await freePorts(1);
  const file = (name: string): string => join(directory, name);
  writeFileSync(file('haproxy.pem'), `${certificate.cert}\n${certificate.key}`, { mode: 0o600 });
  writeFileSync(
    file('haproxy.cfg'),
    `global
  nbthread 2
  maxconn 1000
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend people
  bind 127.0.0.1:${port} ssl crt ${file('haproxy.pem')} alpn http/1.1
  default_backend app
backend app
  server app 127.0.0.1:${app}
`,
  );
  const args = ['-db', '-f', file('haproxy.cfg')];
  const part = new Part('haproxy', findProgram('haproxy') ?? 'haproxy', args, {
    cwd: directory,
    log: file('haproxy.log'),
  });
  undo.push(() => part.stop());
  await answers(port, 'https');
  return { origin: `https://${HOST}:${port}`, pids: () => ({ proxy: withChildren(part.pid) }) };
}

/** `-L`: a port beside people that leads to the app. `-R`: a port at the server, opened by whoever dialled in. */
export async function startForwarding(
  directory: string,
  undo: Undo,
  app: number,
): Promise<{ readonly local: Target; readonly remote: Target }> {
  const [port = 0, local = 0, remote = 0] = await freePorts(3);
  const folder = join(directory, 'ssh');
  mkdirSync(folder, { mode: 0o700 });
  const part = (name: string, args: readonly string[]): Part => {
    const log = join(folder, `${name}.log`);
    const one = new Part(name, findProgram(name) ?? name, args, { cwd: folder, log });
    undo.push(() => one.stop());
    return one;
  };
  for (const name of ['host', 'client']) {
    const made = part('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    if ((await made.ended).code !== 0) throw new Error(made.output);
  }
  const keys = join(folder, 'authorized_keys');
  writeFileSync(keys, readFileSync(join(folder, 'client.pub')), { mode: 0o600 });
  // Where a system has never started sshd, the directory it confines itself to is not there yet.
  if (userInfo().uid === 0 && !existsSync('/run/sshd')) mkdirSync('/run/sshd', { mode: 0o755 });
  writeFileSync(
    join(folder, 'sshd_config'),
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${folder}/host\nAuthorizedKeysFile ${keys}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n`,
  );
  const sshd = part('sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')]);
  await sshd.said(/Server listening/);
  const common = ['-N', '-p', String(port), '-i', join(folder, 'client'), '-o', 'StrictHostKeyChecking=no'];
  const quiet = ['-o', `UserKnownHostsFile=${join(folder, 'known')}`, '-o', 'ExitOnForwardFailure=yes'];
  const dial = (way: '-L' | '-R', from: number): Part =>
    part('ssh', [...common, ...quiet, way, `127.0.0.1:${from}:127.0.0.1:${app}`, '127.0.0.1']);
  dial('-L', local);
  dial('-R', remote);
  for (const each of [local, remote]) await answers(each, 'http');
  const pids = (): Record<string, number[]> => ({});
  return {
    local: { origin: `http://${HOST}:${local}`, pids },
    remote: { origin: `http://${HOST}:${remote}`, pids },
  };
}

async function answers(port: number, scheme: 'http' | 'https'): Promise<void> {
  await until(`${scheme} on ${port}`, async () => {
    if (scheme === 'http') return requestsOf(port).catch(() => undefined);
    // Whether its certificate holds is for others to say.
    return fetch(`https://127.0.0.1:${port}/`).then(
      () => true,
      (error: Error) => (error.cause as NodeJS.ErrnoException).code !== 'ECONNREFUSED',
    );
  });
}
