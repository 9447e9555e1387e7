// Starts the gateway and connectors of a story as processes, talks to them, and leaves none behind.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What the launcher gives node: without these, large bodies cost twice the CPU in garbage collection. */
const RUNTIME = ['--initial-old-space-size=512', '--external-memory-accounted-in-global-limit'];
const root = join(import.meta.dirname, '../../..');

/** What gives the chance to clean up: a test's context, or a benchmark's own list. */
export interface Cleanup {
  after(step: () => void): void;
}

export type Message = Record<string, unknown>;

/** Lines of JSON from a process, each waited for by what it holds. */
export class Lines {
  readonly all: Message[] = [];
  #waiting: { match: (message: Message) => boolean; resolve: (message: Message) => void }[] = [];

  add(message: Message): void {
    this.all.push(message);
    this.#waiting = this.#waiting.filter(({ match, resolve }) => {
      if (!match(message)) return true;
      resolve(message);
      return false;
    });
  }

  /** The next message that has `key`, with `value` if given. */
  next(key: string, value?: unknown): Promise<Message> {
    const match = (message: Message): boolean =>
      key in message && (value === undefined || message[key] === value);
    return new Promise((resolve) => this.#waiting.push({ match, resolve }));
  }
}

export interface GatewayProcess {
  readonly child: ChildProcess;
  readonly lines: Lines;
  readonly people: number;
  readonly connectors: number;
  readonly state: string;
  /** What it shows, made for this run only. */
  readonly certificate: { readonly cert: string; readonly key: string };
  send(command: string): void;
  token(name: string): Promise<string>;
}

export interface ConnectorProcess {
  readonly child: ChildProcess;
  readonly state: string;
  readonly config: string;
  /** Everything it wrote to stderr. */
  text(): string;
  /** Its exit code. */
  readonly exit: Promise<number | null>;
}

function temporary(t: Cleanup): string {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-tunnel-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function started(t: Cleanup, args: string[]): ChildProcess {
  const child = spawn(process.execPath, [...RUNTIME, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

export async function startGateway(
  t: Cleanup,
  options: { state?: string; port?: number; life?: number; scheme?: 'http' | 'https' } = {},
): Promise<GatewayProcess> {
  const state = options.state ?? temporary(t);
  const program = join(import.meta.dirname, 'gateway-process.ts');
  const { port = 0, life = 3_600_000, scheme = 'http' } = options;
  const child = started(t, [program, state, String(port), String(life), scheme]);
  child.stderr?.pipe(process.stderr);
  const lines = new Lines();
  assert.ok(child.stdout !== null);
  createInterface(child.stdout).on('line', (line) => lines.add(JSON.parse(line) as Message));
  const { people, connectors, certificate } = await lines.next('people');
  const send = (command: string): void => void child.stdin?.write(`${command}\n`);
  return {
    ...{ child, lines, state, send, people: people as number, connectors: connectors as number },
    certificate: certificate as GatewayProcess['certificate'],
    async token(name) {
      const answer = lines.next('token');
      send(`token ${name}`);
      return String((await answer)['token']);
    },
  };
}

export interface ConnectorOptions {
  readonly name: string;
  /** Of one gateway, or of several. */
  readonly gatewayPort: number | readonly number[];
  /** Its URL. */
  readonly app: string;
  readonly token?: string;
  readonly state?: string;
  /** To each gateway; 2 if left out. */
  readonly tunnels?: number;
}

/** Writes a configuration for a connector and starts the real command; `token` is its enrolment token. */
export function startConnector(t: Cleanup, options: ConnectorOptions): ConnectorProcess {
  const state = options.state ?? join(temporary(t), 'state');
  const config = `${state}.yaml`;
  const document = `version: 1
name: ${options.name}
gateways: [${[options.gatewayPort].flat().map((port) => `https://127.0.0.1:${port}`)}]
tunnels: ${options.tunnels ?? 2}
state: ${state}
apps:
  app: { url: '${options.app}' }
`;
  writeFileSync(config, document);
  const args = [join(root, 'bin/sallyport.js'), 'connector', '--config', config];
  if (options.token !== undefined) {
    writeFileSync(`${state}.token`, `${options.token}\n`, { mode: 0o600 });
    args.push('--token-file', `${state}.token`);
  }
  const child = started(t, args);
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, state, config, text: () => text, exit };
}

/** An app in this process; its URL. */
export async function startApp(t: Cleanup, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
