// A whole small installation in one directory: provider and app in this process, gateway and connector as
// processes of their own, started with the same commands and documents an admin would use.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { openAuthority } from '#gateway/pki/authority';
import { issueCertificate } from '#gateway/pki/server-certificate';
import { startApp } from './app.ts';
import { connectorDocument, type DemoPorts, gatewayDocument, POLICY_DOCUMENT } from './documents.ts';
import { startProvider } from './provider.ts';

const READY_TIMEOUT = 30_000;
/** How long a process gets to let open exchanges finish, then to stop at all, in milliseconds. */
const GRACE = 1_000;
const STOP_TIMEOUT = 10_000;
const extension = import.meta.filename.slice(-3);
const entry = join(import.meta.dirname, '..', `main${extension}`);

/** A part of the demo did not come up. */
export class DemoError extends Error {
  readonly code = 'demo-not-started';
}

export interface Installation {
  readonly directory: string;
  readonly ports: DemoPorts;
  readonly portal: string;
  /** PEM file of the CA that all addresses of the demo chain to. */
  readonly caFile: string;
  originOf(app: string): string;
  close(): Promise<void>;
}

/** Starts everything in `directory`. `port` is where the people's listener should be; the others follow it. */
export async function startInstallation(directory: string, port: number): Promise<Installation> {
  const ports = await choosePorts(port);
  const portal = `https://access.localhost:${ports.people}`;
  const undo: (() => unknown)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const secret = randomBytes(32).toString('base64url');
    writeDocuments(directory, ports, secret);
    // The gateway finds the development CA already made, so that the provider's certificate is from the same one.
    const ca = await openAuthority(
      join(directory, 'state/development-ca'),
      'Sallyport development',
      Date.now,
    );
    const provider = await startProvider({
      issuer: `https://id.localhost:${ports.provider}`,
      port: ports.provider,
      certificate: await issueCertificate(ca, ['id.localhost']),
      client: { id: 'sallyport', secret, redirectUris: [`${portal}/callback/demo`] },
    });
    undo.push(() => stopServer(provider));
    const app = await startApp({
      port: ports.app,
      portal,
      ca: ca.certificate,
      audiences: ['notes', 'payroll'],
    });
    undo.push(() => stopServer(app));
    const gateway = run(directory, ['gateway', '--config', 'gateway.yaml', '--json'], 'gateway');
    undo.push(() => stopProcess(gateway));
    await firstLine(gateway, 'gateway', directory);
    await finish(run(directory, TOKEN_COMMAND, 'token'), 'token', directory);
    const connector = run(
      directory,
      ['connector', '--config', 'connector.yaml', '--token-file', 'enrol.token'],
      'connector',
    );
    undo.push(() => stopProcess(connector));
    await connected(ports.health);
  } catch (error) {
    await close();
    throw error;
  }
  const originOf = (name: string): string => `https://${name}.localhost:${ports.people}`;
  return {
    directory,
    ports,
    portal,
    caFile: join(directory, 'state/development-ca/ca.pem'),
    originOf,
    close,
  };
}

const TOKEN_COMMAND = [
  'token',
  'create',
  '--config',
  'gateway.yaml',
  '--connector',
  'demo-connector',
  '--out',
  'enrol.token',
];

function writeDocuments(directory: string, ports: DemoPorts, secret: string): void {
  mkdirSync(join(directory, 'state'), { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'gateway.yaml'), gatewayDocument(ports));
  writeFileSync(join(directory, 'connector.yaml'), connectorDocument(ports));
  writeFileSync(join(directory, 'policy.yaml'), POLICY_DOCUMENT);
  writeFileSync(join(directory, 'client-secret'), `${secret}\n`, { mode: 0o600 });
}

/** Starts a `sallyport` command; its stderr goes to `<name>.log` beside the documents. */
function run(directory: string, args: readonly string[], name: string): ChildProcess {
  const child = spawn(process.execPath, [...process.execArgv, entry, ...args], {
    cwd: directory,
    // Of a group of its own: Ctrl-C reaches us alone, and we stop the parts in their order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // However we end, also when whoever reads our output goes away (`npm start | head`): nothing is left behind.
  const takeAlong = (): void => void child.kill('SIGKILL');
  process.once('exit', takeAlong);
  child.once('exit', () => process.off('exit', takeAlong));
  child.stderr?.on('data', (chunk: Buffer) =>
    writeFileSync(join(directory, `${name}.log`), chunk, { flag: 'a' }),
  );
  return child;
}

async function firstLine(child: ChildProcess, name: string, directory: string): Promise<void> {
  const { stdout } = child;
  if (stdout === null) throw new DemoError(`the ${name} has no output`);
  const lines = createInterface({ input: stdout });
  const outcome = await Promise.race([
    new Promise<'line'>((resolve) => lines.once('line', () => resolve('line'))),
    new Promise<'exit'>((resolve) => child.once('exit', () => resolve('exit'))),
    delay(READY_TIMEOUT, 'timeout' as const, { ref: false }),
  ]);
  stdout.resume();
  if (outcome !== 'line') throw new DemoError(`the ${name} did not start:\n${logOf(directory, name)}`);
}

async function finish(child: ChildProcess, name: string, directory: string): Promise<void> {
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new DemoError(`sallyport ${name} failed:\n${logOf(directory, name)}`);
}

function logOf(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, `${name}.log`), 'utf8').slice(-4000);
  } catch {
    return '(it said nothing)';
  }
}

/** Waits until the gateway counts a connector. */
async function connected(health: number): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT;
  while (Date.now() < deadline) {
    const reply = await fetch(`http://127.0.0.1:${health}/metrics`).catch(() => undefined);
    if (/^sallyport_connectors [1-9]/m.test((await reply?.text()) ?? '')) return;
    await delay(50);
  }
  throw new DemoError('the connector did not connect');
}

async function choosePorts(people: number): Promise<DemoPorts> {
  const [first, connectors, provider, health, app] = await Promise.all([
    freePort(people),
    freePort(people === 0 ? 0 : people + 1),
    freePort(people === 0 ? 0 : people + 2),
    freePort(people === 0 ? 0 : people + 3),
    freePort(0),
  ]);
  return {
    people: first ?? 0,
    connectors: connectors ?? 0,
    provider: provider ?? 0,
    health: health ?? 0,
    app: app ?? 0,
  };
}

/** `wanted` if it is free on loopback, else any free port. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  const listen = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
  if (!(await listen(wanted))) await listen(0);
  const at = server.address();
  const port = typeof at === 'object' && at !== null ? at.port : 0;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  // A page that is open in some browser has an event stream that never finishes: the second signal means now.
  const timers = [
    setTimeout(() => child.kill('SIGTERM'), GRACE),
    setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT),
  ];
  await gone;
  for (const timer of timers) clearTimeout(timer);
}

async function stopServer(server: Server & { closeAllConnections?(): void }): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections?.();
  await closed;
}
